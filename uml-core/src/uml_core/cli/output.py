"""What all commands write with: results to stdout, everything said to the person to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

WORD = re.compile(r"[^\s`]*`[^`]*`[^\s`]*|\S+")
CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


@cache
def stdout() -> Console:
    return Console(highlight=False)


@cache
def stderr() -> Console:
    return Console(stderr=True, highlight=False)


def say(sentence: str, *, style: str = "") -> None:
    """Tell the person something; it's no part of the result."""
    _tell(sentence, style)


def _tell(text: str, style: str, *, label: int = 0) -> None:
    """Write whole lines into a file, whole words on a terminal; the first *label* letters are bold."""
    console = stderr()
    told = Text(folded(text, console.width) if console.is_terminal else text, style=style)
    told.stylize("bold", 0, label)
    console.print(told, soft_wrap=True)


def folded(text: str, columns: int) -> str:
    """*text* broken between words; what stands in backticks is to be copied, and stays whole."""
    return "\n".join(_folded_line(line, columns) for line in text.splitlines())


def _folded_line(line: str, columns: int) -> str:
    if cell_len(line) <= columns:
        return line
    folded = line[: len(line) - len(line.lstrip())]
    used = cell_len(folded)
    for number, word in enumerate(WORD.findall(line)):
        width = cell_len(word)
        if number and used + 1 + width > columns:
            folded, used = f"{folded}\n{word}", width
        else:
            folded, used = f"{folded}{' ' if number else ''}{word}", used + bool(number) + width
    return folded


def ask(question: str, *, default: bool = True) -> bool:
    """Ask a person at a terminal; Enter is *default*, the end of input is no."""
    stderr().print(Text(f"{question} [{'Y/n' if default else 'y/N'}] "), end="", soft_wrap=True)
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in ({"", "y", "yes"} if default else {"y", "yes"})


def show_error(sentence: str, detail: Iterable[str] = ()) -> None:
    """``error: sentence`` in red, the further lines dim."""
    _tell(f"error: {sentence}", "red", label=6)
    for line in detail:
        say(f"  {line}", style="dim")


def print_json(value: Any) -> None:
    """The result, for a program."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_lines(lines: Iterable[Text]) -> None:
    """The result, in sentences of one style each: whole lines into a file, whole words on a terminal."""
    console = stdout()
    for line in lines:
        told = folded(line.plain, console.width) if console.is_terminal else line.plain
        console.print(Text(told, style=line.style), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Text | str]]) -> None:
    """The result, for a person: no cell is cut or folded, and a column without a word in it is left out."""
    for line in _table(columns, rows):
        stdout().print(line, soft_wrap=True)


def print_record(record: Mapping[str, str]) -> None:
    """A table of one row; where a terminal is too narrow for it, a line for each cell."""
    lines = _table(tuple(record), [tuple(record.values())])
    if stdout().is_terminal and max(line.cell_len for line in lines) > stdout().width:
        width = max(map(len, record))
        lines = [Text.assemble((f"{name:<{width}}", "bold"), "  ", cell) for name, cell in record.items() if cell]
    for line in lines:
        stdout().print(line, soft_wrap=True)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Text | str]]) -> list[Text]:
    body = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    used = [index for index in range(len(columns)) if any(row[index].plain for row in body)]
    lines = [[Text(column, style="bold") for column in columns], *body]
    widths = {index: max(line[index].cell_len for line in lines) for index in used}
    whole = [Text("  ").join([_padded(line[index], widths[index]) for index in used]) for line in lines]
    for line in whole:
        line.rstrip()
    return whole


def _padded(cell: Text, width: int) -> Text:
    return Text.assemble(cell, " " * (width - cell.cell_len))


def human_bytes(count: int | None) -> str:
    """A size in decimal units, as disks and networks are sold: ``98 MB``, ``4.7 GB``."""
    if count is None:
        return "?"
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}" if count < 10 * scale else f"{count / scale:.0f} {unit}"
    return f"{count} B"


def human_count(count: int | None) -> str:
    """A number of parameters: ``135M``, ``7.2B``."""
    if count is None:
        return "?"
    for unit, scale in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f}{unit}" if count < 10 * scale else f"{count / scale:.0f}{unit}"
    return str(count)


def human_seconds(seconds: float) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def since_s(moment: str) -> float:
    """Seconds from *moment*, in ISO 8601 with a zone, until now."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def plain(text: str) -> str:
    """*text* without control characters, so that what a model or an engine wrote can't steer the terminal."""
    return text.translate(CONTROL)
