"""The page of ``uml plan``: whether it fits, a bar for each device, and why everything is as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from uml_core.cli.flow import flowed, words
from uml_core.cli.output import plain
from uml_core.cli.plan_bar import bar
from uml_core.cli.plan_device import device_lines, heading
from uml_core.cli.plan_line import learned, needs
from uml_core.cli.plan_reasons import reasons

View = Mapping[str, Any]
INDENT = 2
WIDEST = 100
BAR_COLUMNS = 72
ASCII = str.maketrans({"█": "#", "▓": "=", "▒": "+", "░": "-", "·": ".", "±": "+/-", "\N{MINUS SIGN}": "-", "▲": "^"})
"""For terminals and files whose encoding knows no such letters."""


def print_plan(plan: View, console: Console) -> None:
    """Write it: coloured and folded on a terminal, plain and in whole lines into a file."""
    columns = min(console.width, WIDEST) if console.is_terminal else None
    coloured = console.is_terminal and not console.no_color and console.color_system is not None
    for line in page(plan, columns, coloured=coloured):
        if console.options.ascii_only:
            line = Text(line.plain.translate(ASCII), style=line.style)
        console.print(line, soft_wrap=True)


def page(plan: View, columns: int | None, *, coloured: bool) -> Iterator[Text]:
    """The lines.

    :param columns: how wide they may be; None for no bound
    """
    yield from _head(plan, columns)
    for device in sorted((plan["memory"] or {}).get("devices", ()), key=_place):
        yield Text()
        yield from _indented(flowed([heading(device)], columns and columns - INDENT))
        if not device["needs_bytes"]:
            continue
        width = BAR_COLUMNS if columns is None else min(BAR_COLUMNS, columns - INDENT)
        if "total_bytes" in device:
            yield from _indented(bar(device, max(width, 10), coloured=coloured))
        yield from _indented(device_lines(device, columns and columns - INDENT, coloured=coloured))
    if plan["decisions"]:
        yield Text()
        yield from _indented(reasons(plan["decisions"], columns and columns - INDENT))


def _head(plan: View, columns: int | None) -> Iterator[Text]:
    memory = plan["memory"]
    verdict, style = _verdict(plan)
    told = f": {', '.join(filter(None, [needs(memory), _known_by(memory)]))}" if memory else ""
    model = plain(plan["model"])
    yield from flowed([Text(model, style="bold"), *words(f"{verdict}{told}", style)], columns)
    if plan["problem"]:
        yield from flowed(words(plan["problem"], style), columns)
    facts = [
        f"with {plan['backend']}",
        f"{plan['context_length']:,} tokens of context",
        f"{plan['parallel']} at once" if plan["parallel"] > 1 else "",
    ]
    yield from flowed(words(", ".join(filter(None, facts)), "dim"), columns)


def _verdict(plan: View) -> tuple[str, str]:
    if plan["fits"]:
        return "fits", "green"
    return ("doesn't fit, and is forced", "yellow") if plan["forced"] else ("doesn't fit", "red")


def _known_by(memory: View) -> str:
    """Where the numbers come from."""
    sources = {part["source"] for device in memory["devices"] for part in device["parts"]}
    return learned(memory) or ("as the engine reckons" if "probe" in sources else "by its header")


def _place(device: View) -> tuple[bool, bool]:
    """Accelerators first, what is not touched last."""
    return not device["needs_bytes"], device["device"] == "cpu"


def _indented(lines: Iterator[Text] | Sequence[Text]) -> Iterator[Text]:
    for line in lines:
        yield Text(" " * INDENT).append_text(line)
