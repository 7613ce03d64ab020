"""The plugin as a package: how it is found, what importing it costs, what its card says."""

from __future__ import annotations

import importlib.metadata as metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from uml_core import API_VERSION
from uml_core.plugins import Plugins
from uml_core.testing.conformance.subject import Subject
from uml_core.testing.conformance.tags import PIPELINE_TAGS
from uml_core.types import BackendInfo

ENGINES = frozenset(
    {
        "ctranslate2", "exllamav2", "exllamav3", "flax", "jax", "keras", "llama_cpp", "mlx", "mlx_lm", "onnxruntime",
        "onnxruntime_genai", "openvino", "sentence_transformers", "tensorflow", "tensorrt", "torch", "transformers",
        "ultralytics", "vllm", "whisper", "xllamacpp",
    }
)  # fmt: skip

IMPORT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import importlib
importlib.import_module(sys.argv[2])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


class CardTests(Subject):
    """That the plugin can be found, is cheap to import, and says what it is."""

    def test_entry_point_leads_to_the_plugin(self) -> None:
        """The entry point of the group ``uml`` gives exactly this plugin.

        A failure means that `uml` would not find it. Look into ``[project.entry-points.uml]`` of pyproject.toml, and
        install the package again: entry points are read from what is installed.
        """
        name = self.need("entry_point")
        found = {entry.name: entry for entry in metadata.entry_points(group="uml")}
        assert name in found, f"no installed distribution has an entry point '{name}' in the group 'uml'"
        assert found[name].load() is self.plugin, f"the entry point '{name}' leads to something else than `plugin`"

    def test_import_is_light(self) -> None:
        """Importing the plugin imports no engine.

        A failure means that every `uml` command would pay for the engine, and that the gateway holds its memory and its
        devices. Import the engine in the worker's module only, and there inside of functions.
        """
        imported = set(imports_of(module_of(self.plugin)))
        engines = imported & (ENGINES | {self.engine.partition(".")[0]})
        assert not engines, f"importing the plugin imports {', '.join(sorted(engines))}"

    def test_api_version_is_ours(self) -> None:
        """The plugin is written for this version of the contract.

        A failure means that the core would list it as failed. Set ``uml_api_version`` in the plugin's module, after
        reading what has changed in docs/hooks.md.
        """
        assert getattr(self.plugin, "uml_api_version", None) == API_VERSION

    def test_core_accepts_it(self, loaded: Plugins) -> None:
        """The core registers the plugin, with the hooks that a backend needs.

        A failure or an error here says what the core refuses: a hook of an unknown name or with unknown parameters, an
        ``async def``, a missing hook, or a record of a wrong type. Fix that first, all else depends on it.
        """
        card = next(card for card in loaded.cards if card.name == "subject")
        assert {"uml_backend_info", "uml_detect_backend", "uml_launch_worker"} <= set(card.hooks)

    def test_card_is_complete(self, info: BackendInfo) -> None:
        """The card has a name, formats, tasks, options and an engine.

        A failure names the field of ``BackendInfo`` in ``uml_backend_info`` that is missing or of a wrong kind. Tasks
        are pipeline tags of Hugging Face; ``engine`` is what a user installs: a pip requirement or a program.
        """
        assert re.fullmatch(r"[a-z][a-z0-9_]*", info.name), f"'{info.name}' can't be a table [plugins.{info.name}]"
        assert info.formats, "a backend without formats is never asked"
        assert info.tasks, "a backend without tasks serves nothing"
        assert set(info.tasks) <= PIPELINE_TAGS, f"not pipeline tags: {set(info.tasks) - PIPELINE_TAGS}"
        assert issubclass(info.options, BaseModel)
        assert info.settings is None or issubclass(info.settings, BaseModel)
        assert info.engine.strip(), "`engine` must say what a user installs"

    def test_readme_names_the_engine(self, info: BackendInfo) -> None:
        """The README says how to get the engine.

        A failure means that a user with a missing engine finds no way out. Write the pip requirement or the program of
        ``BackendInfo.engine`` into README.md.
        """
        readme = readme_of(self.plugin)
        if readme is None:
            pytest.skip("there is no README.md, neither beside the plugin's pyproject.toml nor in its wheel")
        assert info.engine in readme, f"'{info.engine}' is not in the README"


def module_of(plugin: Any) -> str:
    """The module that importing *plugin* imports."""
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__


def imports_of(module: str) -> list[str]:
    """The top-level names that a fresh interpreter has imported once *module* is.

    :raises AssertionError: it can't be imported there; the traceback is on stderr
    """
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT, json.dumps(sys.path), module], stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert ran.returncode == 0, f"{module} can't be imported in a fresh interpreter; see stderr"
    imported: list[str] = json.loads(ran.stdout)
    return imported


def readme_of(plugin: Any) -> str | None:
    """The README of the source tree that *plugin* lies in, or the one in the wheel that it was installed from."""
    module = module_of(plugin)
    file = Path(sys.modules[module].__file__ or "").resolve()
    if {"site-packages", "dist-packages"} & set(file.parts):
        packaged = metadata.packages_distributions().get(module.partition(".")[0], ())
        return next((str(metadata.metadata(name).json.get("description", "")) for name in packaged), None)
    for folder in file.parents:
        if (folder / "pyproject.toml").is_file():
            readme = folder / "README.md"
            return readme.read_text("utf-8") if readme.is_file() else None
    return None
