"""``uml ps``: what is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.cli.options import JsonOption


def command(*, json: JsonOption = False) -> None:
    """Show what is loaded: state, port, process, memory, speed.

    MEMORY is what the process tree has resident; pages that its processes share count once for each.
    """
    from uml_core.cli.gateway import live_client
    from uml_core.cli.output import print_json, say
    from uml_core.errors import UnavailableError
    from uml_core.settings import read_settings

    client = live_client(read_settings())
    active = client.active() if client else None
    if active is not None:
        active["memory_bytes"] = _memory_bytes(active.get("pid"))
    if json:
        print_json({"gateway": client.base_url if client else None, **(active or {"model": None})})
    elif active:
        _show(active)
    if client is None:
        raise UnavailableError("no gateway is running, so no model is loaded; start one with `uml serve`")
    if active is None and not json:
        say("no model is loaded; load one with `uml load`, or ask with `uml run`")


def _show(active: Mapping[str, Any]) -> None:
    from uml_core.cli.output import human_bytes, print_table

    performance = active.get("performance") or {}
    speed = performance.get("tokens_per_second")
    row = {
        "MODEL": active["model"],
        "BACKEND": active["backend"],
        "STATE": _state(active),
        "PORT": active.get("port") or "",
        "PID": active.get("pid") or "",
        "MEMORY": human_bytes(active["memory_bytes"]) if active["memory_bytes"] else "",
        "CONTEXT": active.get("context_length") or "",
        "SINCE": _since(active.get("since")),
        "REQUESTS": active.get("leases") or 0,
        "TOKENS/S": f"{speed:.1f}" if speed else "",
    }
    print_table(tuple(row), [tuple(str(cell) for cell in row.values())])


def _state(active: Mapping[str, Any]) -> str:
    progress = active.get("progress")
    return f"{active['state']} {progress:.0%}" if active["state"] == "loading" and progress else str(active["state"])


def _since(said: str | None) -> str:
    from datetime import UTC, datetime

    from uml_core.cli.output import human_seconds

    if not said:
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(said)).total_seconds()
    return f"{human_seconds(max(0.0, seconds))} ago"


def _memory_bytes(pid: int | None) -> int | None:
    """Resident bytes of the worker's process tree; pages that its processes share count once for each."""
    import psutil

    if pid is None:
        return None
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return None
    return sum(_resident_bytes(process) for process in tree)


def _resident_bytes(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
