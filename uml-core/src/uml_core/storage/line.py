"""One row as one line of JSON: what the journal keeps, and what the writer reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """Some columns of one row, to be inserted or, where the row is there, updated."""

    table: str
    values: dict[str, Any]


def encode(table: str, run_id: str, row: Mapping[str, Any]) -> bytes:
    """The line of a row; what JSON doesn't know becomes text, a time ISO 8601 in UTC.

    :raises Exception: JSON can't say it at all (a cycle, a key that is no text)
    """
    # A path may hold halves of a character that no UTF-8 can say; better a question mark than no row.
    return _encode((table, run_id, row)).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Entry | None:
    """The row of a line, None for what is none: the torn end of a journal, or garbage."""
    try:
        table, run_id, values = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(table, str) or not isinstance(values, dict):
        return None
    return Entry(table, {"run_id": run_id, **values})


def stamp(at: datetime | None = None) -> str:
    """A time, now when absent, as the database has it: always with microseconds, for text to sort like time."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
