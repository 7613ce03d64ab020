"""Styled pieces of text that run on from line to line, and are never broken within."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.text import Span, Text

from uml_core.cli.output import plain

WORD = re.compile(r"[^\s`]*`[^`]*`[^\s`]*|\d[\d.,]* [kMG]?B\b\S*|\S+")


def flowed(pieces: Iterable[Text], columns: int | None, *, gap: str = " ") -> Iterator[Text]:
    """Lines of whole pieces; only one that is too long for any line is broken, between its words.

    :param columns: how wide a line may be; None for one line
    :param gap: what stands between two pieces of a line
    """
    line = Text()
    for piece in _unbroken(pieces, columns):
        if columns is not None and line and line.cell_len + len(gap) + piece.cell_len > columns:
            yield _merged(line)
            line = Text()
        line.append(gap if line else "", style=piece.style).append_text(piece)
    yield _merged(line)


def _merged(line: Text) -> Text:
    """The same with one span where several of one style stand beside each other."""
    spans: list[Span] = []
    for span in line.spans:
        if spans and (spans[-1].end, spans[-1].style) == (span.start, span.style):
            span = Span(spans.pop().start, span.end, span.style)
        spans.append(span)
    line.spans = spans
    return line


def _unbroken(pieces: Iterable[Text], columns: int | None) -> Iterator[Text]:
    for piece in pieces:
        if columns is not None and piece.cell_len > columns and "`" not in piece.plain:
            yield from piece.split(" ")
        else:
            yield piece


def words(sentence: str, style: str = "") -> list[Text]:
    """The words of a sentence as pieces; an amount with its unit is one, and what stands in backticks, to be copied."""
    return [Text(word, style=style) for word in WORD.findall(plain(sentence))]
