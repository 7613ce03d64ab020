"""A page of labelled lines on standard output."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from uml_core.cli.columns import GAP
from uml_core.cli.output import folded, plain, stdout

Line = tuple[str, Text | str]


def print_page(title: str, lines: Iterable[Line]) -> None:
    """The title, then what stands behind each label; a line without a label belongs to the one above it."""
    console = stdout()
    console.print(Text(plain(title), style="bold"), soft_wrap=True)
    told = [(label, text if isinstance(text, Text) else Text(text)) for label, text in lines]
    width = max((len(label) for label, _ in told), default=0)
    indent = width + 2 * GAP
    for label, text in told:
        room = console.width - indent if console.is_terminal else None
        rest = folded(plain(text.plain), room) if room and room > width else plain(text.plain)
        for number, line in enumerate(rest.splitlines() or [""]):
            head = f"{'' if number else label:>{width}}"
            console.print(Text.assemble("  ", (head, "dim"), "  ", Text(line, style=text.style)), soft_wrap=True)
