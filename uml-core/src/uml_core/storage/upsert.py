"""Rows to statements: what is there is updated in the given columns, what is not is inserted."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import Insert, insert

from uml_core.storage.line import Entry
from uml_core.storage.tables import metadata

log = logging.getLogger(__name__)
Values = dict[str, Any]
Rows = dict[tuple[str, str], Values]


def usable(entry: Entry) -> bool:
    """Whether there is such a table and a key; if not, the log names the row."""
    if entry.table in metadata.tables and isinstance(entry.values.get("id"), str):
        return True
    log.error(
        "a row for table %r with id %r can't be kept: no such table, or no id", entry.table, entry.values.get("id")
    )
    return False


def merged(entries: Iterable[Entry]) -> Rows:
    """One row for each key, the later column over the earlier: what one upsert after the other would leave.

    Unknown columns are named in the log and left out.
    """
    rows: Rows = {}
    for table, values in entries:
        known = metadata.tables[table]
        row = rows.setdefault((table, values["id"]), {})
        row.update((name, value) for name, value in values.items() if _is_column(known, name))
    return rows


def statements(rows: Rows) -> Iterator[tuple[Insert, list[Values]]]:
    """As few statements as there are sets of columns; the rows have different keys, so their order is free."""
    groups: dict[tuple[str, tuple[str, ...]], list[Values]] = {}
    for (table, _), values in rows.items():
        groups.setdefault((table, tuple(sorted(values))), []).append(values)
    for (table, columns), group in groups.items():
        yield _upsert(table, columns), group


@functools.lru_cache(maxsize=256)
def _upsert(name: str, columns: tuple[str, ...]) -> Insert:
    table = metadata.tables[name]
    statement = insert(table)
    changed = {column: statement.excluded[column] for column in columns if column != "id"}
    if not changed:
        return statement.on_conflict_do_nothing(index_elements=["id"])
    return statement.on_conflict_do_update(index_elements=["id"], set_=changed)


@functools.lru_cache(maxsize=1024)
def _is_column(table: Table, name: str) -> bool:
    known = name in table.columns
    if not known:  # once a name, thanks to the cache
        log.error("table %r has no column %r; it is left out", table.name, name)
    return known
