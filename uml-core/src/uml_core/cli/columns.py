"""A table that fits the terminal: dispensable columns go first, and what is to be copied is never cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import frozen
from rich.cells import cell_len
from rich.text import Span, Text

from uml_core.cli.output import stdout

GAP = 2
FIRST_PART = 0.35
"""The first column gets this part of a terminal, if it needs as much, before the others get theirs."""


@frozen
class Column:
    """A column; of those that don't fit, the one with the highest ``rank`` goes first, and one of rank 0 never."""

    name: str
    rank: int = 0
    right: bool = False


Cell = str | tuple[str, str]
"""What stands there, if it has a style with that."""
Row = Sequence[Cell]


def print_fitted(columns: Sequence[Column], rows: Iterable[Row]) -> list[str]:
    """Write the table to standard output; the names of the columns that had no room.

    Into a file everything is written. On a terminal, a first cell that is too long for its column runs on over the
    empty ones beside it, or has a line of its own with the others below it.
    """
    body, console = list(rows), stdout()
    table = Table.of(columns, body, width=console.width if console.is_terminal else None)
    if console.is_terminal:
        console.print(_styled(table.lines(body)), soft_wrap=True)
    else:
        sys.stdout.writelines(f"{line}\n" for line, _ in table.lines(body))
    return table.left_out


Line = tuple[str, list[Span]]


@frozen
class Table:
    """Which columns there are, how wide, and which were left out."""

    columns: tuple[tuple[int, Column, int], ...]
    left_out: list[str]

    @classmethod
    def of(cls, columns: Sequence[Column], body: Sequence[Row], *, width: int | None) -> Table:
        """Choose the columns that have a word in them, and of these as many as fit.

        :param width: columns of the terminal; None for no limit
        """
        used = [index for index in range(len(columns)) if any(_text(row[index]) for row in body)]
        widths = {index: max(len(columns[index].name), *(_length(row[index]) for row in body)) for index in used}
        kept = used
        if width is not None and used:
            lengths = [len(columns[used[0]].name), *(_length(row[used[0]]) for row in body)]
            widths[used[0]] = _longest(lengths, round(width * FIRST_PART))
            kept = _fitting(columns, body, widths, width)
            widths[used[0]] = _longest(lengths, width - sum(widths[index] + GAP for index in kept[1:]))
        return cls(
            tuple((index, columns[index], widths[index]) for index in kept),
            [columns[index].name for index in used if index not in kept],
        )

    def lines(self, body: Iterable[Row]) -> Iterator[Line]:
        """The lines, the heads first, and what is styled in them."""
        yield self._line([(column.name, "bold") for _, column, _ in self.columns])
        for row in body:
            cells = [row[index] for index, _, _ in self.columns]
            if self._is_too_long(cells):
                text = _text(cells[0])
                yield text, [Span(0, len(text), _style(cells[0]))]
                cells[0] = ""
            yield self._line(cells)

    def _is_too_long(self, cells: list[Cell]) -> bool:
        """Whether the first cell would run into another that has something to say."""
        end, start = _length(cells[0]) + GAP, 0
        if end <= self.columns[0][2] + GAP:
            return False
        for cell, (_, column, width) in zip(cells, self.columns, strict=True):
            if start and _text(cell) and start + _indent(cell, column, width) < end:
                return True
            start += width + GAP
        return False

    def _line(self, cells: list[Cell]) -> Line:
        line, spans, at, start = "", [], 0, 0
        for cell, (_, column, width) in zip(cells, self.columns, strict=True):
            text = _text(cell)
            if text:
                begins = start + _indent(cell, column, width)
                line += " " * (begins - at)
                if style := _style(cell):
                    spans.append(Span(len(line), len(line) + len(text), style))
                line += text
                at = begins + cell_len(text)
            start += width + GAP
        return line, spans


def _styled(lines: Iterable[Line]) -> Text:
    """One text of all lines; rich takes ten times as long for as many texts."""
    told, spans, at = [], [], 0
    for line, styled in lines:
        told.append(line)
        spans += [Span(at + span.start, at + span.end, span.style) for span in styled]
        at += len(line) + 1
    return Text("\n".join(told), spans=spans)


def _fitting(columns: Sequence[Column], body: Sequence[Row], widths: Mapping[int, int], width: int) -> list[int]:
    """The columns that have room beside each other; those that say the same everywhere are the last to get it."""
    kept = [index for index in widths if not columns[index].rank]
    others = [index for index in widths if columns[index].rank]
    for index in sorted(others, key=lambda index: (_says_the_same(index, body), columns[index].rank)):
        if sum(widths[one] + GAP for one in [*kept, index]) - GAP <= width:
            kept.append(index)
    return sorted(kept)


def _says_the_same(index: int, body: Sequence[Row]) -> bool:
    said = [text for row in body if (text := _text(row[index]))]
    return len(said) > 1 and len(set(said)) == 1


def _longest(lengths: Iterable[int], room: int) -> int:
    """How wide a column of such cells is to be: the longest that has room; one without any has a line of its own."""
    return max((length for length in lengths if length <= room), default=max(room, 0))


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]


def _length(cell: Cell) -> int:
    text = _text(cell)
    return len(text) if text.isascii() else cell_len(text)


def _indent(cell: Cell, column: Column, width: int) -> int:
    return width - _length(cell) if column.right else 0
