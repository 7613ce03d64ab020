"""The decisions of a plan, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from uml_core.cli.columns import GAP
from uml_core.cli.flow import flowed, words
from uml_core.cli.output import plain

View = Mapping[str, Any]
NAMES = {
    "context_length": "context",
    "gpu_layers": "GPU layers",
    "cpu_experts": "experts on CPU",
    "cache_type": "KV cache type",
    "parallel": "at once",
}
"""Core's words where they read badly; all others stand as they are, since some are options of an engine."""
LONGEST_VALUE = 0.25
"""A value that takes more of the line than this has its reason below."""
LEAST_REASON = 12


def reasons(decisions: Sequence[View], columns: int | None) -> Iterator[Text]:
    """A row for each: what, its value, and why; what somebody said is marked as pinned."""
    rows = [(_name(one["what"]), plain(one["value"]), _reason(one)) for one in decisions]
    first = max(len(name) for name, _, _ in rows) + GAP
    room = len(max((value for _, value, _ in rows), key=len)) if columns is None else int(columns * LONGEST_VALUE)
    second = max((len(value) for _, value, _ in rows if len(value) <= room), default=0) + GAP
    for name, value, reason in rows:
        head = Text.assemble((f"{name:<{first}}", "dim"), value)
        lines = list(flowed(words(reason, "dim"), _room(columns, first + second)))
        if len(value) + GAP <= second:
            yield head.append(" " * (second - len(value))).append_text(lines.pop(0))
        else:
            yield head
        for line in lines:
            yield Text(" " * (first + second)).append_text(line)


def _room(columns: int | None, taken: int) -> int | None:
    return None if columns is None else max(columns - taken, LEAST_REASON)


def _name(what: str) -> str:
    return NAMES.get(what, plain(what))


def _reason(decision: View) -> str:
    return f"{'pinned: ' if decision['pinned'] else ''}{decision['reason']}"
