"""``uml jobs``: what is being loaded, what waits, and how the last ones ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.cli.options import JsonOption


def command(*, json: JsonOption = False) -> None:
    """List the loads: the running one, those that wait, those that ended.

    STAGE is how far the running one is, RESULT how the others ended.
    """
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.output import print_json, print_table, say
    from uml_core.settings import read_settings

    jobs = needed_client(read_settings()).jobs()
    if json:
        print_json(jobs)
    elif jobs:
        rows = [_row(job) for job in jobs]
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
        "STATE": job["state"],
        "STAGE": "" if job["finished"] else _stage(job),
        "AGE": human_seconds(since_s(job["created"])),
        "TIME": human_seconds(took_s) if took_s is not None else "",
        "RESULT": result(job),
    }
    return {name: plain(cell) for name, cell in row.items()}


def _stage(job: Mapping[str, Any]) -> str:
    progress = job["progress"] or {}
    if job["position"]:
        return f"{job['position']} before it"
    part = progress.get("part")
    stage = str(progress.get("stage") or "")
    return stage if part is None else f"{stage} {part:.0%}"
