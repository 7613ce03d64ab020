import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen
from typer.testing import CliRunner

from uml_core.cli import main
from uml_core.testing.gguf import write_gguf

OTHERS = ("UML_", "HF_", "HUGGINGFACE_", "LLAMA_", "OLLAMA_", "XDG_")
"""What the variables begin with that would lead to settings and models of the person who runs the tests."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LLAMA = {
    "general.architecture": "llama",
    "general.license": "apache-2.0",
    "llama.block_count": 2,
    "llama.context_length": 8192,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.feed_forward_length": 128,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "b"],
    "tokenizer.chat_template": "{{ messages }}",
}


@pytest.fixture
def job_view() -> Callable[..., dict[str, Any]]:
    """A job's view: a load of ``new`` in place of ``old``; what is given differs."""

    def view(state: str = "starting", **said: Any) -> dict[str, Any]:
        ended = state in {"committed", "rolled_back", "failed", "cancelled"}
        return {
            "id": "job_1",
            "kind": "load",
            "state": state,
            "model": "new",
            "backend": "fake",
            "reason": "",
            "created": "2026-01-01T00:00:00.000+00:00",
            "finished": "2026-01-01T00:00:01.234+00:00" if ended else None,
            "seconds": 1.234 if ended else None,
            "position": 0,
            "waiting": 1,
            "progress": None,
            "previous": "old",
            "switched": state == "committed",
            "rolled_back": state == "rolled_back",
            "cause": None,
            "rollback_cause": None,
            "release": None,
            "context_length": 4096,
            "tasks": ["text-generation"],
            "port": 1,
            **said,
        }

    return view


@pytest.fixture
def release() -> Callable[..., dict[str, Any]]:
    """What an unload gave back; what is given differs."""

    def view(**said: Any) -> dict[str, Any]:
        whole = {"freed": 412_000_000, "expected": 412_000_000, "unattributed": 0, "leftover_pids": []}
        return {**whole, "proven": True, "seconds": 0.214, **said}

    return view


@pytest.fixture
def card() -> Callable[..., dict[str, Any]]:
    """A model's card; what is given differs."""

    def view(id: str, **said: Any) -> dict[str, Any]:
        return {
            "id": id,
            "name": id,
            "variant": None,
            "store": "folder",
            "also": [],
            "size_bytes": 2_000_000_000,
            "kind": "model",
            "format": "gguf",
            "architecture": "llama",
            "parameters": 3_200_000_000,
            "quantization": "Q4_K_M",
            "bits_per_weight": 4.85,
            "context_length": 131072,
            "license": "apache-2.0",
            "modalities": ["text"],
            "tasks": ["text-generation"],
            "complete": True,
            "missing": [],
            "hazards": [],
            "needs_bytes": 2_900_000_000,
            "pinned": False,
            "aliases": [],
            "usage": {"loads": 0, "requests": 0, "last_used": None},
            "profile": None,
            "status": {"value": "unloaded"},
            **said,
        }

    return view


@frozen
class Machine:
    """``uml`` in this process, with a home and a data folder of the test's own."""

    home: Path
    models: Path = field(init=False)

    @models.default
    def _models(self) -> Path:
        return self.home / "data" / "models"

    def uml(self, *arguments: str) -> Any:
        """Run it; an error that it would tell is raised."""
        result = self.invoke(*arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def invoke(self, *arguments: str) -> Any:
        return CliRunner().invoke(main.app, arguments)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.uml(*arguments, "--json").stdout)

    def gguf(self, path: Path | str, elements: int = 1024, **metadata: Any) -> Path:
        """A GGUF file; a relative path lies in UML's own models folder."""
        whole = self.models / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        return write_gguf(whole, {**LLAMA, **metadata}, tensors={"token_embd.weight": (elements,)})

    def ollama(self, name: str, tag: str, elements: int = 2048) -> None:
        """A model in Ollama's store."""
        store = self.home / ".ollama" / "models"
        blob = self.gguf(store / "blobs" / "new", elements)
        digest = hashlib.sha256(blob.read_bytes()).hexdigest()
        layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"}
        manifest = store / "manifests" / "registry.ollama.ai" / "library" / name / tag
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(json.dumps({"schemaVersion": 2, "layers": [{**layer, "size": blob.stat().st_size}]}))
        blob.rename(blob.with_name(f"sha256-{digest}"))

    def hub(self, repository: str, files: dict[str, int]) -> Path:
        """A repository in the Hugging Face cache: the elements of each file by its name."""
        folder = self.home / ".cache/huggingface/hub" / f"models--{repository.replace('/', '--')}"
        snapshot = folder / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(COMMIT)
        for name, elements in files.items():
            blob = self.gguf(folder / "blobs" / hashlib.sha256(name.encode()).hexdigest(), elements)
            (snapshot / name).symlink_to(f"../../blobs/{blob.name}")
        return snapshot


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with nothing on it."""
    for name in list(os.environ):
        if name.startswith(OTHERS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UML_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    monkeypatch.setenv("UML_PLUGINS__ALLOW", "none")
    return Machine(tmp_path)


@pytest.fixture
def stores(machine: Machine) -> Machine:
    """A machine with a model in UML's own folder, one in Ollama's store, and one in two quants in the hub's cache."""
    machine.gguf("mine-Q4_0.gguf")
    machine.ollama("tiny", "1b")
    machine.hub("org/Llama-GGUF", {"Llama.Q4_K_M.gguf": 3000, "Llama.Q8_0.gguf": 6000})
    return machine
