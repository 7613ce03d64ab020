"""``uml logs``: what the gateway and the workers wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.cli.journal import Entry, Journal


def command(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", min=0, help="How many of the last lines.")] = 100,
    worker: Annotated[bool, typer.Option("--worker", help="Only what the model's process wrote.")] = False,
    gateway: Annotated[bool, typer.Option("--gateway", help="Only what the gateway wrote.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the logs of the gateway and of the model's process."""
    from uml_core.cli.journal import Journal
    from uml_core.cli.output import say
    from uml_core.settings import read_settings

    folder = read_settings().log_folder
    sources = [name for name, asked in (("gateway", gateway), ("worker", worker)) if asked or not (gateway or worker)]
    journals = [Journal(folder / f"{name}.log", source=name) for name in sources]
    last = sorted((entry for journal in journals for entry in journal.last(lines)), key=lambda entry: entry.at)
    if not last and not follow:
        say(f"nothing was logged yet; the files will be in {folder}")
    write = _write_json if json else _write
    for entry in last[-lines:] if lines else ():
        write(entry)
    for entry in _follow(journals) if follow else ():
        write(entry)


def _follow(journals: list[Journal]) -> Iterator[Entry]:
    import time

    while True:
        for journal in journals:
            yield from journal.new()
        time.sleep(0.2)


def _write(entry: Entry) -> None:
    from rich.text import Text

    from uml_core.cli.output import plain, stdout

    style = "red" if entry.level in {"error", "critical"} else "yellow" if entry.level == "warning" else ""
    line = Text.assemble((f"{entry.clock} {entry.source:<7} ", "dim"), (plain(entry.text), style))
    stdout().print(line, soft_wrap=True)


def _write_json(entry: Entry) -> None:
    import json
    import sys

    sys.stdout.write(json.dumps({"source": entry.source, **entry.record}, ensure_ascii=False) + "\n")
    sys.stdout.flush()
