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
