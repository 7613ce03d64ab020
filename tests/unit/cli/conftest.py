from collections.abc import Callable
from typing import Any

import pytest


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
