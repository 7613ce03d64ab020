"""``uml ps``: what is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.cli.options import JsonOption


def command(*, json: JsonOption = False) -> None:
    """Show what is loaded: state, port, process, memory, speed.

    MEMORY is what the process tree has resident; pages that its processes share count once for each. PLANNED is what
    the load was to take in all, on accelerators too. QUEUE counts the requests that wait, RESTARTS the crashes that
    were got over.
    """
    from uml_core.cli.gateway import live_client
    from uml_core.cli.output import print_json
    from uml_core.errors import UnavailableError
    from uml_core.settings import read_settings

    client = live_client(read_settings())
    status: dict[str, Any] = client.status() if client else {"model": None}
    if status["model"] is not None:
        status["memory_bytes"] = _memory_bytes(status.get("pid"))
    if json:
        print_json({"gateway": client.base_url if client else None, **status})
    elif client:
        _tell(status)
    if client is None:
        raise UnavailableError("no gateway is running, so no model is loaded; start one with `uml serve`")


def _tell(status: Mapping[str, Any]) -> None:
    from uml_core.cli.output import say

    job = status.get("job")
    if status["model"] is not None:
        _show(status)
    elif not job:
        say("no model is loaded; load one with `uml load`, or ask with `uml run`")
    if job:
        _tell_of(job, leases=status.get("leases"))


def _show(active: Mapping[str, Any]) -> None:
    from uml_core.cli.output import human_bytes, plain, print_record

    performance, planned = active.get("performance") or {}, active.get("memory")
    speed = performance.get("tokens_per_second")
    row = {
        "MODEL": active["model"],
        "BACKEND": active["backend"],
        "STATE": _state(active),
        "HEALTH": active.get("health") or "",
        "PORT": active.get("port") or "",
        "PID": active.get("pid") or "",
        "MEMORY": human_bytes(active["memory_bytes"]) if active["memory_bytes"] else "",
        "PLANNED": human_bytes(planned["needs_bytes"]) if planned else "",
        "CONTEXT": active.get("context_length") or "",
        "SINCE": _since(active.get("since")),
        "REQUESTS": active.get("leases") or 0,
        "QUEUE": _length(active.get("queue")),
        "RESTARTS": active.get("restarts") or 0,
        "TOKENS/S": f"{speed:.1f}" if speed else "",
    }
    print_record({name: plain(str(cell)) for name, cell in row.items()})


def _tell_of(job: Mapping[str, Any], *, leases: int | None) -> None:
    from uml_core.cli.output import plain, say
    from uml_core.cli.stage import stage_of

    stage = stage_of(job, leases=leases)
    if stage is not None:
        facts = "".join(f", {fact}" for fact in stage.facts())
        say(plain(f"{job['id']} is running: {stage.label}{facts}; `uml cancel {job['id']}` ends it"))


def _length(queue: Any) -> int:
    return int(queue.get("length") or 0) if isinstance(queue, Mapping) else int(queue or 0)


def _state(active: Mapping[str, Any]) -> str:
    progress = active.get("progress")
    part = progress.get("part") if isinstance(progress, Mapping) else progress
    return f"{active['state']} {part:.0%}" if active["state"] == "loading" and part else str(active["state"])


def _since(said: str | None) -> str:
    from uml_core.cli.output import human_seconds, since_s

    return f"{human_seconds(since_s(said))} ago" if said else ""


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
