"""The table of ``uml list``: the variants of one model stand together, under its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from uml_core.cli.ago import ago
from uml_core.cli.columns import Cell, Column, Row
from uml_core.cli.output import human_bytes, human_count, plain
from uml_core.cli.tasks import word_of

Card = Mapping[str, Any]

COLUMNS = (
    Column("MODEL"),
    Column("SIZE", right=True),
    Column("PARAMS", 7, right=True),
    Column("QUANT", 3),
    Column("CONTEXT", 5, right=True),
    Column("TASK", 8),
    Column("FORMAT", 9),
    Column("NEEDS", 2, right=True),
    Column("TOKENS/S", 1, right=True),
    Column("USED", 6),
    Column("STORE", 4),
    Column("ALIAS", 10),
    Column("STATUS"),
)
MOST_REASONS = 12
SHARED = ("PARAMS", "CONTEXT", "TASK", "FORMAT", "STORE")
"""What is said once for all variants of a model, if it is the same for all."""


def rows(cards: Iterable[Card]) -> Iterator[Row]:
    """The rows of the table: what is loaded or pinned first, then by name."""
    for name, group in _groups(cards):
        if len(group) == 1:
            yield _row(_cells(group[0]), (str(group[0]["id"]), _style(group[0])), group[0])
        else:
            yield from _variants(name, group)


def _groups(cards: Iterable[Card]) -> list[tuple[str, list[Card]]]:
    by_name = sorted(cards, key=_name)
    groups = [
        (name, sorted(group, key=lambda card: (card.get("size_bytes") or 0, card["id"])))
        for name, group in groupby(by_name, key=_name)
    ]
    return sorted(groups, key=lambda group: (min(map(_place, group[1])), group[0].casefold()))


def _name(card: Card) -> str:
    return str(card.get("name") or card["id"])


def _place(card: Card) -> int:
    return 0 if is_loaded(card) else 1 if card.get("pinned") else 2


def _variants(name: str, group: list[Card]) -> Iterator[Row]:
    told = [_cells(card) for card in group]
    shared = {column: told[0][column] for column in SHARED if len({cells[column] for cells in told}) == 1}
    yield _row(shared, (name, "" if any(map(_is_usable, group)) else "dim"))
    for card, cells in zip(group, told, strict=True):
        id = str(card["id"])
        label = id.removeprefix(name) if id.startswith(f"{name}:") else id
        own = {column: cell for column, cell in cells.items() if column not in shared}
        yield _row(own, (f"  {label}", _style(card)), card)


def _row(cells: Mapping[str, str], label: Cell, card: Card | None = None) -> Row:
    told = [cells.get(column.name, "") for column in COLUMNS[1:-1]]
    return [_shown(cell) for cell in (label, *told, "" if card is None else status(card))]


def _shown(cell: Cell) -> Cell:
    text, style = (cell, "") if isinstance(cell, str) else cell
    shown = text if text.isprintable() else plain(text)
    return (shown, style) if style else shown


def _cells(card: Card) -> dict[str, str]:
    profile, usage = card.get("profile") or {}, card.get("usage") or {}
    speed = profile.get("decode_tokens_per_s")
    return {
        "SIZE": human_bytes(card.get("size_bytes")),
        "PARAMS": human_count(card["parameters"]) if card.get("parameters") else "",
        "QUANT": card.get("quantization") or "",
        "CONTEXT": human_context(card.get("context_length")),
        "TASK": word_of(card["tasks"][0]) if card.get("tasks") else "",
        "FORMAT": card.get("format") or "",
        "NEEDS": human_bytes(card["needs_bytes"]) if card.get("needs_bytes") else "",
        "TOKENS/S": f"{speed:.1f}" if speed else "",
        "USED": ago(usage.get("last_used")),
        "STORE": _stores(card),
        "ALIAS": ", ".join(card.get("aliases") or ()),
    }


def human_context(tokens: int | None) -> str:
    """A number of tokens: ``8K`` is 8192, ``1M`` is 1048576; what is no multiple stays a number."""
    if not tokens:
        return ""
    return f"{tokens >> 20}M" if tokens % 2**20 == 0 else f"{tokens >> 10}K" if tokens % 1024 == 0 else str(tokens)


def _stores(card: Card) -> str:
    """Its store, and how many others have the same bytes."""
    others = {other["store"] for other in card.get("also") or ()} - {card["store"]}
    return f"{card['store']} +{len(others)}" if others else str(card["store"])


def is_loaded(card: Card) -> bool:
    """Whether it is loaded, or on its way in or out."""
    return state(card) not in {"", "unloaded"}


def state(card: Card) -> str:
    """How far it is loaded: ``unloaded``, ``ready`` … ."""
    return str((card.get("status") or {}).get("value") or "")


def _is_usable(card: Card) -> bool:
    return not card.get("error") and card.get("kind") in {None, "model"}


def _style(card: Card) -> str:
    return "" if _is_usable(card) else "dim"


def status(card: Card) -> Cell:
    """What is to be known before it is loaded, in a word or two."""
    if card.get("error"):
        return "unreadable", "red"
    if card.get("pending"):
        return "not read yet", "dim"
    if not _is_usable(card):
        return "no model" if card["kind"] == "other" else str(card["kind"]), "dim"
    good = [state(card)] if is_loaded(card) else []
    good += ["pinned"] if card.get("pinned") else []
    bad = ["incomplete"] if card.get("complete") is False else []
    bad += card.get("hazards") or ()
    return ", ".join([*good, *bad]), "yellow" if bad else "green"


def reasons(cards: Iterable[Card]) -> Iterator[Text]:
    """A sentence for each that can't be loaded as it is, in the order of the table."""
    told = [line for _, group in _groups(cards) for card in group if (line := _reason(card))]
    yield from told[:MOST_REASONS]
    if len(told) > MOST_REASONS:
        yield Text(f"and {len(told) - MOST_REASONS} more; `uml show MODEL` says why", style="dim")


def _reason(card: Card) -> Text | None:
    if card.get("error"):
        return Text(plain(f"{card['id']}: {card['error']}"), style="red")
    if card.get("missing"):
        return Text(plain(f"{card['id']}: {_missing(card['missing'])}"), style="yellow")
    return None


def _missing(names: Sequence[str], most: int = 3) -> str:
    listed = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
    return f"can't be loaded, because {'a file is' if len(names) == 1 else 'files are'} missing: {listed}"
