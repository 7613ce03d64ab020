"""``uml jobs``: what is being loaded, what waits, and how the last ones ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from uml_core.cli.options import JsonOption


def command(
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", min=1, help="How many at most.")] = 10,
    json: JsonOption = False,
) -> None:
    """List the loads: running, waiting, ended.

    STATE is how far it is, RESULT how it ended. With --json they are all there.
    """
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.output import print_json, print_table, say
    from uml_core.settings import read_settings

    jobs = needed_client(read_settings()).jobs()
    if json:
        print_json(jobs)
    elif jobs:
        rows = [_row(job) for job in jobs[:lines]]
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        say("nothing was loaded or unloaded yet; `uml load MODEL` does")


def _row(job: Mapping[str, Any]) -> dict[str, str]:
    from uml_core.cli.outcome import result
    from uml_core.cli.output import human_seconds, plain, since_s

    progress = job["progress"] or {}
    took_s = job["seconds"] if job["finished"] else progress.get("elapsed_s")
    row = {
        "ID": job["id"],
        "KIND": job["kind"],
        "MODEL": job["model"] or job["previous"] or "",
        "STATE": job["state"] if job["finished"] else _state(job, progress),
        "AGE": human_age(since_s(job["created"])),
        "TIME": human_seconds(took_s) if took_s is not None else "",
        "RESULT": result(job),
    }
    return {name: plain(cell) for name, cell in row.items()}


def _state(job: Mapping[str, Any], progress: Mapping[str, Any]) -> str:
    if job["position"]:
        return f"queued, {job['position']} before"
    part = progress.get("part")
    stage = str(progress.get("stage") or job["state"])
    return stage if part is None else f"{stage} {part:.0%}"


def human_age(seconds: float) -> str:
    """How long ago, in one unit: ``8 s``, ``3 min``, ``2 h``, ``5 d``."""
    for unit, scale in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= scale:
            return f"{seconds // scale:.0f} {unit}"
    return f"{seconds:.0f} s"
