"""Rows as the database has them, or soon will: every change is handed to storage."""

from __future__ import annotations

import threading
from typing import Any

from uml_core.registry.card_row import as_kept
from uml_core.storage import Storage
from uml_core.storage.peek import Peeked
from uml_core.storage.peek import Rows as Table

TABLES = ("models", "aliases", "pins", "profiles", "usage", "measurements")


class Rows:
    """The tables in memory; ``lock`` is held by who reads and then writes, and by every change.

    ``whole`` is False when the database may have rows that are not here.
    """

    def __init__(self, storage: Storage, known: Peeked) -> None:
        self.lock = threading.RLock()
        self.whole = known.whole
        self._storage = storage
        self._tables: dict[str, Table] = {table: known.tables.get(table, {}) for table in TABLES}

    def __getitem__(self, table: str) -> Table:
        return self._tables[table]

    def put(self, table: str, id: str, /, *, keep: bool = True, **values: Any) -> dict[str, Any]:
        """Change some columns of a row, or begin it; with *keep* storage gets them too. Returns the row."""
        with self.lock:  # rows reach storage in the order in which they change what is known
            row: dict[str, Any] = self._tables[table].setdefault(id, {"id": id})
            row.update(values)
            if keep:
                self._storage.put(table, {"id": id, **values})
            return row

    def put_all(self) -> None:
        """Put every row again."""
        with self.lock:
            self.whole = True
            for table, rows in self._tables.items():
                for id, row in rows.items():
                    self._storage.put(table, {**as_kept(row), "id": id})
