"""What the database and the journal hold, read before the database is opened for good: the start can't wait for that.

Uses the standard library only. For the process that holds ``gateway.lock``, before ``Storage.start()``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from uml_core.storage import place
from uml_core.storage.journal import lines
from uml_core.storage.line import decode
from uml_core.storage.storage import FILE, JOURNAL
from uml_core.storage.trouble import Refused, is_outside

BUSY_S = 0.1
Rows = dict[str, dict[str, Any]]


@frozen
class Peeked:
    """Rows by table and ``id``; ``whole`` is False when the database has more that can't be read at this moment."""

    tables: dict[str, Rows] = field(factory=dict)
    whole: bool = True


def peek(folder: Path, tables: Sequence[str]) -> Peeked:
    """Read all rows of *tables* in the database of *folder*, and over them what its journal has for it.

    Never raises, never changes the database: what is missing, damaged, locked or of another schema has what can be
    read of it.
    """
    rows: dict[str, Rows] = {table: {} for table in tables}
    whole = _read_database(folder / FILE, rows)
    with contextlib.suppress(OSError):
        for segment in sorted(path for path in (folder / JOURNAL).glob("*.jsonl") if path.stem.isdecimal()):
            with contextlib.suppress(OSError):
                _read_journal(lines(segment), rows)
    return Peeked(rows, whole)


def _read_database(path: Path, rows: dict[str, Rows]) -> bool:
    """Fill *rows*; return whether that is all there is, now and later."""
    try:
        if not path.stat().st_size:
            return True
        place.check(path.parent)
        with contextlib.closing(_connect(path)) as connection:
            for table, found in rows.items():
                _read_table(connection, table, found)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except Refused:
        return False
    except (OSError, ValueError, sqlite3.Error) as error:
        return not is_outside(error)
    return True


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that can write nothing.

    With a log a killed gateway has left: the log is read but not written back, at the price of a ``-shm`` file, which
    the next who opens the database begins anew. Without one there is nothing to lock, either: nobody else writes.
    """
    has_log = any(_has_bytes(path.with_name(path.name + suffix)) for suffix in ("-wal", "-journal"))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _read_table(connection: sqlite3.Connection, table: str, found: Rows) -> None:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone():
        return  # of a schema before this one
    try:
        for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  # a name of this program
            if isinstance(id := row["id"], str):
                found[id] = dict(row)
    except (sqlite3.Error, IndexError) as error:
        if is_outside(error):
            raise


def _read_journal(segment: Iterable[bytes], rows: dict[str, Rows]) -> None:
    """What was put last, over what is there."""
    starts = tuple(f'["{table}",'.encode() for table in rows)
    for line in segment:
        if line.startswith(starts) and (entry := decode(line)) and isinstance(id := entry.values.get("id"), str):
            rows[entry.table].setdefault(id, {}).update(entry.values)


def _has_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
