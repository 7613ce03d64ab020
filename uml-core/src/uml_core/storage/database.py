"""The open database: its one connection, used by one thread. Importing this imports SQLAlchemy."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from uml_core.storage import migration, recovery, retention, upsert
from uml_core.storage.line import Entry
from uml_core.storage.migration import Migration
from uml_core.storage.order import Read, Row
from uml_core.storage.trouble import is_corrupt, is_outside

BUSY_S = 5.0
STEPS = 4000  # of SQLite's machine between two looks at the clock: some hundred a second
SETTINGS = (
    # Nobody else gets in: SQLite before 3.51.3 (3.50.7, 3.44.6) can lose a WAL that two connections share, and without
    # others it needs no shared memory either, which on a full disk is a signal instead of an error.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA wal_autocheckpoint = 1000",
    f"PRAGMA journal_size_limit = {64 * 2**20}",
)
log = logging.getLogger(__name__)


class Database:
    """See :func:`open_database`. Every method may raise what SQLite or SQLAlchemy raise; ``trouble`` knows it apart."""

    def __init__(self, path: Path, raw: sqlite3.Connection) -> None:
        self.path = path
        self._raw = raw
        self._engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
        event.listen(self._engine, "begin", _begin)
        self._connection = self._engine.connect()

    def migrate(self) -> tuple[Migration, Path | None] | None:
        """Bring the schema up to date; None if it is, else what was done and the backup.

        :raises Refused: the database is newer than this program, or a step is at fault
        """
        step = migration.needed(self._raw, self.path)
        if step is None:
            return None
        backup = migration.back_up(self._raw, self.path, step) if step.have else None
        migration.migrate(self._connection)
        return step, backup

    def recover(self, run_id: str) -> None:
        with self._connection.begin():
            recovery.recover(self._connection, run_id)

    def write(self, entries: Sequence[Entry]) -> int:
        """Upsert rows in one transaction. Rows that can never be written are named in the log; returns their number."""
        good = [entry for entry in entries if upsert.usable(entry)]
        rows = upsert.merged(good)
        try:
            with self._connection.begin():
                self._execute(rows)
        except Exception as error:
            if is_outside(error) or is_corrupt(error):
                raise
            return len(entries) - len(good) + self._salvage(rows)
        return len(entries) - len(good)

    def read(self, read: Read | Any, deadline_s: float) -> list[Row]:
        """The rows of a statement or of a function; cut off at the deadline, and whatever it changed is taken back."""
        with self._until(deadline_s):
            transaction = self._connection.begin()
            try:
                rows = read(self._connection) if callable(read) else self._connection.execute(read).mappings()
                return [dict(row) for row in rows]
            finally:
                transaction.rollback()

    def prune(self) -> bool:
        """Delete a few rows that are too old or too many; return whether there may be more."""
        with self._connection.begin():
            return retention.prune(self._connection)

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the file may be gone, or the disk full; there is nothing left to save
            self._connection.close()
        with contextlib.suppress(Exception):
            self._raw.close()

    def _execute(self, rows: upsert.Rows) -> None:
        for statement, values in upsert.statements(rows):
            self._connection.execute(statement, values)

    def _salvage(self, rows: upsert.Rows) -> int:
        """Write row by row what could not be written together."""
        lost = 0
        with self._connection.begin():
            for key, values in rows.items():
                try:
                    with self._connection.begin_nested():
                        self._execute({key: values})
                except Exception as error:
                    if is_outside(error) or is_corrupt(error):
                        raise
                    lost += 1
                    log.error("the row %s of table %r can't be kept: %s", key[1], key[0], getattr(error, "orig", error))
        return lost

    @contextlib.contextmanager
    def _until(self, deadline_s: float) -> Iterator[None]:
        self._raw.set_progress_handler(lambda: time.monotonic() > deadline_s, STEPS)
        try:
            yield
        finally:
            self._raw.set_progress_handler(None, 0)


def open_database(path: Path) -> Database:
    """Open *path*, made if it's missing, for this user only, and check it.

    :raises sqlite3.DatabaseError: among others when it is damaged or no database, see ``trouble.is_corrupt``
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # the WAL gets the same mode
    path.chmod(0o600)
    # Transactions are begun by SQLAlchemy: the driver's own way would commit before a CREATE TABLE.
    raw = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        for setting in SETTINGS:
            raw.execute(setting)
        _check(raw)
        return Database(path, raw)
    except BaseException:
        raw.close()
        raise


def _check(raw: sqlite3.Connection) -> None:
    (found,) = raw.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        error = sqlite3.DatabaseError(str(found))
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
