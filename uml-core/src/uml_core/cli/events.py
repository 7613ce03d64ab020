"""``uml events``: what happens in the gateway, as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.client import Event

STYLES = {"leak": "yellow", "health": "yellow", "storage": "yellow", "lagged": "yellow"}


def command(*, json: JsonOption = False) -> None:
    """Follow what the gateway does, until Ctrl-C.

    A line for each change of a worker, a load or the queue. With --json also each step of a load's progress.
    """
    from uml_core.cli.gateway import needed_client
    from uml_core.errors import UnavailableError
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    write = _write_json if json else _Lines().write
    for event in client.events():
        write(event)
    raise UnavailableError(f"the gateway at '{client.base_url}' has ended; start it again with `uml serve`")


def _write_json(event: Event) -> None:
    import json
    import sys

    said = {"id": event.id, "kind": event.kind, "data": event.data}
    sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class _Lines:
    """Writes what differs from the line before of the same kind and job."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, object], str] = {}

    def write(self, event: Event) -> None:
        from datetime import datetime

        from rich.text import Text

        from uml_core.cli.output import plain, stdout

        line, about = plain(told(event)), (event.kind, event.data.get("id"))
        if self._last.get(about) == line:
            return
        self._last[about] = line
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        stdout().print(
            Text.assemble((f"{now} {event.kind:<7} ", "dim"), (line, STYLES.get(event.kind, ""))), soft_wrap=True
        )


def told(event: Event) -> str:
    """One line for a person."""
    known = {
        "worker": _worker, "job": _job, "scan": _scan, "queue": _queue, "leak": _leak, "health": _worker,
        "lagged": _lagged,
    }  # fmt: skip
    tell = known.get(event.kind)
    return tell(event.data) if tell else " ".join(f"{name}={value}" for name, value in event.data.items())


def _queue(data: Mapping[str, Any]) -> str:
    waiting = data["length"]
    return f"{waiting} request{'' if waiting == 1 else 's'} waiting" if waiting else "nobody waits"


def _leak(data: Mapping[str, Any]) -> str:
    return f"{data['model']}: {data['sentence']}"


def _lagged(data: Mapping[str, Any]) -> str:
    return f"{data['missed']} events came faster than they could be read, and are left out"


def _worker(data: Mapping[str, Any]) -> str:
    before = f"{data['previous']} → " if data.get("previous") else ""
    why = f" ({data['reason']})" if data.get("reason") else ""
    return f"{data['model']}: {before}{data['state']}{why}"


def _job(job: Mapping[str, Any]) -> str:
    from uml_core.cli.outcome import result
    from uml_core.cli.output import human_seconds
    from uml_core.cli.stage import stage_of

    what = f"{job['kind']} of {job['model'] or job['previous']}"
    stage = stage_of(job)
    if stage is not None:
        return f"{what}: {stage.label}"
    cause = f"; {job['cause']['message']}" if job["cause"] else ""
    return f"{what}: {result(job)} after {human_seconds(job['seconds'])}{cause}"


def _scan(job: Mapping[str, Any]) -> str:
    from uml_core.cli.outcome import result
    from uml_core.cli.scan import found
    from uml_core.cli.stage import stage_of

    stage = stage_of(job)
    if stage is not None:
        return stage.label
    return found(job["report"]) if job.get("report") else f"the scan of the models: {result(job)}"
