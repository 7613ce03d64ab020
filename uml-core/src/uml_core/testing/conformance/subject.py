"""What is tested: a plugin, its sample, and what its author declares of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import pytest

from uml_core import plugins
from uml_core.host.engine import is_installed
from uml_core.inspection import inspect
from uml_core.inspection import plugin as inspection
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.types import BackendInfo, ModelSource, Plan

Claim: TypeAlias = Literal["n", "seed", "logprobs", "schema", "tools", "cached_tokens"]


class Subject:
    """The attributes that an author sets, and the fixtures that the tests share.

    A capability is declared by giving its sample; the tests of one that is not declared are skipped with a sentence.
    """

    plugin: ClassVar[Any] = None
    """The plugin object, as the entry point names it: a module, or an instance that can be pickled. Required."""

    entry_point: ClassVar[str] = ""
    """The name of the entry point of the group ``uml``."""

    engine: ClassVar[str] = ""
    """The module that the engine lives in; live tests are skipped where it isn't installed."""

    chat_prompt: ClassVar[str] = ""
    """A question for ``/v1/chat/completions``."""

    completion_prompt: ClassVar[str] = ""
    """The start of a text for ``/v1/completions``."""

    embedding_text: ClassVar[str] = ""
    """A text for ``/v1/embeddings``."""

    rerank_query: ClassVar[str] = ""
    """A query for ``/v1/rerank``."""

    classify_text: ClassVar[str] = ""
    """A text for ``/v1/classify``."""

    claims: ClassVar[Collection[Claim]] = ()
    """What answers can have beyond text: ``n``, ``seed``, ``logprobs``, ``schema``, ``tools``, ``cached_tokens``."""

    options: ClassVar[Mapping[str, Any]] = {}
    """The backend's own options for loading the sample."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """The plugin's table ``[plugins.<name>]`` for the tests."""

    context_length: ClassVar[int] = 512
    """Tokens of context that the sample is loaded with."""

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls) -> Path:
        """Give a model that the backend must accept. Required."""
        pytest.fail(f"{cls.__name__} gives no fixture `sample`: the path of a model that it must accept")

    @pytest.fixture(scope="class")
    @classmethod
    def core_settings(cls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
        """Settings of a core of its own."""
        return own_settings(tmp_path_factory.mktemp("uml"), cls.plugin, cls.settings)

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls) -> Plugins:
        """The core's own formats and the plugin, registered as the core registers it."""
        return with_plugin(cls.plugin)

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, loaded: Plugins) -> BackendInfo:
        return loaded.backends[backend_name(cls.plugin)]

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, loaded: Plugins, sample: Path) -> ModelSource:
        """The sample as the core reads it, through the built-in formats and the plugin's own."""
        return inspect(sample, loaded.formats())

    @pytest.fixture(scope="class")
    @classmethod
    def table(cls, info: BackendInfo) -> Mapping[str, Any]:
        """The plugin's own table, validated as the core validates it."""
        return info.settings(**cls.settings).model_dump() if info.settings else {}

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls, info: BackendInfo, source: ModelSource, table: Mapping[str, Any]) -> Plan:
        """A plan for the sample, made without asking whether the engine is here."""
        return Plan(
            model_id=source.path.stem,
            model=source,
            backend=info.name,
            tasks=info.tasks,
            context_length=cls.context_length,
            options=info.options(**cls.options).model_dump(),
            settings=table,
        )

    @classmethod
    def need_engine(cls) -> None:
        """Skip the running test where the engine is missing."""
        if cls.engine and not is_installed(cls.engine, interpreter=str(cls.settings.get("python") or "")):
            pytest.skip(f"the engine '{cls.engine}' is not installed here")

    @classmethod
    def need_claim(cls, claim: Claim) -> None:
        """Skip the running test if the class doesn't claim it."""
        if claim not in cls.claims:
            pytest.skip(f"{cls.__name__} doesn't claim '{claim}'")

    @classmethod
    def need(cls, capability: str) -> Any:
        """The sample of a capability; skip the running test if the class doesn't declare it."""
        if not (declared := getattr(cls, capability)):
            pytest.skip(f"{cls.__name__} declares no `{capability}`")
        return declared


def backend_name(plugin: Any) -> str:
    """The name on the card of *plugin*."""
    return str(plugin.uml_backend_info().name)


def with_plugin(plugin: Any, **others: object) -> Plugins:
    """Register *plugin* beside the core's own formats, and whatever else a test needs; nothing of this machine."""
    return plugins.load(builtins={"formats": inspection, "subject": plugin, **others}, entry_points=(), strict=True)


def own_settings(folder: Path, plugin: Any, table: Mapping[str, Any]) -> Settings:
    """Settings that come from the test alone; the user's ``uml.toml`` and ``UML_*`` variables play no part."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("UML_")]:
            patch.delenv(name)
        patch.setenv("UML_CONFIG", str(folder / "uml.toml"))
        return Settings.model_validate({"data_dir": folder, "plugins": {backend_name(plugin): dict(table)}})
