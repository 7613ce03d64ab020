from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from uml_core import hookimpl, plugins
from uml_core.inspection import plugin as formats
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.registry.plugin import BuiltinStores
from uml_core.settings import Settings
from uml_core.testing.gguf import write_gguf
from uml_core.types import BackendInfo, Level, Match


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n_gpu_layers: int | None = Field(None, ge=-1)
    flash_attn: bool = False


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    binary: Path | None = None


class Backend:
    """A backend that answers what it is told to, and keeps what it was asked."""

    uml_api_version = 1

    def __init__(self, name: str, answer: Any = None, **card: Any) -> None:
        self.answer = Match(Level.SUPPORTED, "it reads GGUF") if answer is None else answer
        self.card = {"formats": ("gguf",), "tasks": ("text-generation",), "options": Options, "settings": Table} | card
        self.name = name
        self.asked: list[tuple[Any, ...]] = []

    @hookimpl
    def uml_backend_info(self) -> BackendInfo:
        return BackendInfo(name=self.name, **self.card)

    @hookimpl
    def uml_detect_backend(self, model, host, settings):
        self.asked.append((model, host, settings))
        return self.answer() if callable(self.answer) else self.answer

    @hookimpl
    def uml_launch_worker(self, plan, launch):
        raise AssertionError("planning launches nothing")


class Setup:
    """A models folder with one model, and a planner for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model()

    def model(self, name: str = "Tiny", **metadata: Any) -> Path:
        (self.folder / "models").mkdir(exist_ok=True)
        said = {"general.architecture": "llama", "llama.context_length": 4096} | metadata
        return write_gguf(self.folder / f"models/{name}.gguf", said, tensors={"w": (32,)})

    def planner(self, *backends: Backend, **settings: Any) -> Planner:
        chosen = Settings(data_dir=self.folder, **settings)
        builtins = {"gguf": formats, "stores": BuiltinStores(chosen)} | {one.name: one for one in backends}
        loaded = plugins.load(builtins=builtins, entry_points=())
        return Planner(loaded, Registry(loaded.stores(), loaded.formats(), chosen), chosen)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    return Setup(tmp_path)


@pytest.fixture
def backend() -> Callable[..., Backend]:
    return Backend
