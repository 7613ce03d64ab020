"""A UML in an environment of its own, and an index on the disk with a plugin and its engine.

Nothing of this needs a network: the wheels are written here, and pip and the interpreters are the real ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import field, mutable

import uml_core
from uml_core.environments.installer import find_installer

LONG_S = 60.0
OTHERS = ("UML_", "HF_", "PIP_", "UV_", "PYTHON", "XDG_")
PLUGIN = """
from pathlib import Path
from pydantic import BaseModel, ConfigDict
from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import find_engine
from uml_core.python_settings import PythonSettings
from uml_core.types import BackendInfo, Level, Match, ModelFormat, ModelSource, ModelStore, Rejected, StoredModel
from uml_core.types import WorkerCommand

uml_api_version = API_VERSION

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

@hookimpl
def uml_backend_info():
    return BackendInfo(name="parrot", formats=("parrot",), tasks=("text-generation",), options=Options,
                       settings=PythonSettings, engine="parrot-engine")

@hookimpl
def uml_model_formats():
    def read(path):
        return ModelSource(path=path, format="parrot", files=(path,), size_bytes=path.stat().st_size)
    return [ModelFormat(name="parrot", claims=lambda path, head: head.startswith(b"PARROT"), read=read)]

@hookimpl
def uml_model_stores():
    polly = StoredModel(id="Polly", path=Path(__file__).with_name("polly.parrot"), size_bytes=6, store="parrot")
    return [ModelStore(name="parrot", list=lambda: [polly])]

@hookimpl
def uml_detect_backend(model, settings):
    if model.format != "parrot":
        return None
    if find_engine("parrot_engine", interpreter=str(settings.get("python") or "")) is None:
        return Rejected("parrot-engine is not installed", hint="uml plugins install parrot")
    return Match(Level.NATIVE, "made for it")

@hookimpl
def uml_launch_worker(plan):
    return WorkerCommand.python("uml_parrot.worker", interpreter=str(plan.settings.get("python") or ""))
"""
WORKER = """
import sys
import parrot_engine
from uml_core.worker import serve

class Engine:
    def __init__(self, plan, progress):
        pass

    def chat(self, request):
        yield f"{parrot_engine.VERSION} in {sys.prefix}"

    complete = chat

if __name__ == "__main__":
    serve(Engine)
"""
SLOW_BUILD = """
import pathlib, time

def build_wheel(folder, config_settings=None, metadata_directory=None):
    pathlib.Path(__file__).with_name("began").touch()
    time.sleep(600)
"""


def write_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], *metadata: str, entry: str = ""
) -> None:
    """A wheel as a build backend would write it."""
    flat = name.replace("-", "_")
    info = f"{flat}-{version}.dist-info"
    head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    parts = {
        **files,
        f"{info}/METADATA": "\n".join(head) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **({f"{info}/entry_points.txt": entry} if entry else {}),
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in parts.items())
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{flat}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**parts, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@mutable
class Machine:
    """``uml`` in the environment ``own``; what it may install lies in ``index``."""

    folder: Path
    settings: str = ""
    _started: list[subprocess.Popen[str]] = field(factory=list)
    _terminals: list[int] = field(factory=list)

    @property
    def own(self) -> Path:
        return self.folder / "own"

    @property
    def index(self) -> Path:
        return self.folder / "index"

    @property
    def engines(self) -> Path:
        return self.folder / "data" / "engines" / "parrot"

    def environments(self) -> list[Path]:
        """All that is an environment, or would become one."""
        return sorted(self.engines.glob("env-*"))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
        return {
            **kept,
            "HOME": str(self.folder / "home"),
            "UML_DATA_DIR": str(self.folder / "data"),
            "UML_CONFIG": str(self.folder / "uml.toml"),
            "UML_PLUGINS__ALLOW": "parrot",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "UV_NO_CONFIG": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.index),
        }

    def make(self) -> None:
        """The own environment has what this one has, and the plugin; UML itself seems to come from an index."""
        everything = "\n".join(path for path in sys.path if path) + "\n"
        core = f"Metadata-Version: 2.1\nName: uml-core\nVersion: {uml_core.__version__}\n"
        venv.create(self.own, with_pip=False, symlinks=True)
        [site] = self.own.glob("lib/python*/site-packages")
        (site / "everything.pth").write_text(everything)
        info = site / f"uml_core-{uml_core.__version__}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(core)
        write_wheel(self.index, "uml-core", uml_core.__version__, {"everything.pth": everything})
        write_wheel(
            self.index,
            "uml-parrot",
            "1.0",
            {
                "uml_parrot/__init__.py": "",
                "uml_parrot/plugin.py": PLUGIN,
                "uml_parrot/polly.parrot": "PARROT",
                "uml_parrot/worker.py": WORKER,
            },
            "Requires-Dist: uml-core",
            "Provides-Extra: engine",
            "Requires-Dist: parrot-engine>=3; extra == 'engine'",
            entry="[uml]\nparrot = uml_parrot.plugin\n",
        )
        self.publish_engine("3.1")
        (self.folder / "home").mkdir()
        (self.folder / "data").mkdir()

    def launch_apart(self) -> Path:
        """Another environment that has everything, named by uml.toml; its folder for packages."""
        venv.create(self.folder / "other", with_pip=False, symlinks=True)
        [own], [other] = (self.folder.glob(f"{name}/lib/python*/site-packages") for name in ("own", "other"))
        (other / "everything.pth").write_text(f"{own}\n" + (own / "everything.pth").read_text())
        (other / "parrot_engine.py").write_text("VERSION = 'theirs'\n")
        self.settings = f"[plugins.parrot]\npython = '{self.folder}/other'\n"
        return other

    def publish_engine(self, version: str) -> None:
        write_wheel(self.index, "parrot-engine", version, {"parrot_engine.py": f"VERSION = '{version}'\n"})

    def uml(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it to its end, which must be *code*."""
        (self.folder / "uml.toml").write_text(self.settings)
        ran = subprocess.run(
            [self.own / "bin" / "python", "-m", "uml_core", *arguments],
            env=self.environment,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=LONG_S,
            check=False,
        )
        assert ran.returncode == code, f"uml {' '.join(arguments)}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def json(self, *arguments: str) -> Any:
        return json.loads(self.uml(*arguments, "--json").stdout)

    def parrot(self) -> dict[str, Any]:
        """The plugin's card."""
        [card] = [card for card in self.json("plugins") if card["name"] == "parrot"]
        return card

    def slow(self) -> Path:
        """The source of a package whose build takes ten minutes."""
        folder = self.folder / "slow"
        folder.mkdir()
        (folder / "backend.py").write_text(SLOW_BUILD)
        (folder / "pyproject.toml").write_text(
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
            "[project]\nname = 'slow'\nversion = '1'\n"
        )
        return folder

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [self.own / "bin" / "python", "-m", "uml_core", *arguments],
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._started.append(process)
        return process

    def terminal(self, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
        """``uml`` at a terminal, and the descriptor to read what it shows there."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [self.own / "bin" / "python", "-m", "uml_core", *arguments],
            env={**self.environment, "TERM": "xterm-256color", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._terminals.append(ours)
        return process, ours

    def close(self) -> None:
        for descriptor in self._terminals:
            os.close(descriptor)
        for process in self._started:
            process.kill()
            process.communicate()


def _wait_for(condition: Any, *, within_s: float = LONG_S) -> Any:
    end_s = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.05)
    return answer


@pytest.fixture
def wait_for() -> Any:
    return _wait_for


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if find_installer().seeds:
        pytest.skip("there is neither pip nor uv in this environment")
    machine = Machine(tmp_path)
    machine.make()
    yield machine
    machine.close()


@pytest.fixture
def with_plugin(machine: Machine) -> Machine:
    """The plugin is there, its engine isn't."""
    [wheel] = machine.index.glob("uml_parrot-*.whl")
    [site] = machine.own.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:  # what pip does with one that needs nothing more
        archive.extractall(site)
    return machine
