"""Cards as rows of the table ``models``, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from uml_core.errors import InvalidModelFileError
from uml_core.registry.card_json import from_json, to_json
from uml_core.registry.signature import Signature
from uml_core.types import ModelCard

CARDS = 4
"""Counts what cards hold: those of an earlier number lack something, and their headers are read again."""

DAMAGED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What a row that is not as it was written can raise."""


def key_of(path: Path) -> str:
    """A path as text that SQLite takes: a name that is no UTF-8 has its bytes written out."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def readers_as_text(readers: Iterable[str]) -> str:
    """Few characters for all those that read formats, and for what cards hold."""
    return blake2b("\n".join([f"cards {CARDS}", *sorted(set(readers))]).encode(), digest_size=6).hexdigest()


def signed(signature: Signature, readers: str) -> str:
    """A signature as text; with those that read, for others may read more out of the same files."""
    return _text([readers, signature])


def is_of_the_file(error: InvalidModelFileError) -> bool:
    """Whether the file is to blame: not a fault of its reader, which is the cause then, nor what the system said."""
    return error.__cause__ is None and not isinstance(error.__context__, OSError)


def card_to_row(card: ModelCard | InvalidModelFileError) -> dict[str, Any]:
    """The columns ``card``, as the text of a JSON object, and ``error``; one of them is None."""
    if isinstance(card, InvalidModelFileError):
        return {"card": None, "error": str(card)}
    return {"card": _text(to_json(card)), "error": None}


def card_of(row: dict[str, Any]) -> ModelCard | InvalidModelFileError | None:
    """What a row says: text until somebody asks for it, from then on the card itself. None: it is damaged."""
    if error := row.get("error"):
        message, *detail = str(error).split("\n")
        return InvalidModelFileError(message, detail=detail)
    card = row.get("card")
    if isinstance(card, str):
        try:
            card = row["card"] = from_json(json.loads(card))
        except DAMAGED:  # to read the header again costs little
            card = row["card"] = None
    return card


def as_kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the database has it."""
    card = row.get("card")
    return {**row, **card_to_row(card)} if isinstance(card, ModelCard) else dict(row)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
