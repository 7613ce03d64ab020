"""How much is kept: the newest rows, and of transitions and requests those of the last months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, Select, Table, delete, func, select

from uml_core.storage.line import stamp
from uml_core.storage.tables import loads, requests, transitions

KEEP_ROWS = 100_000
KEEP_DAYS = 90
STEP_ROWS = 500
AGED: tuple[tuple[Table, Column[str]], ...] = ((transitions, transitions.c.at), (requests, requests.c.started))
COUNTED: tuple[tuple[Table, Column[str]], ...] = (*AGED, (loads, loads.c.finished))


def prune(connection: Connection) -> bool:
    """Delete a few of the oldest rows that are too many or too old; return whether there may be more."""
    before = stamp(datetime.now(UTC) - timedelta(days=KEEP_DAYS))
    gone = [_delete(connection, table, _oldest(table, at).where(at < before)) for table, at in AGED]
    for table, at in COUNTED:
        surplus = (connection.scalar(select(func.count()).select_from(table)) or 0) - KEEP_ROWS
        if surplus > 0:
            gone.append(_delete(connection, table, _oldest(table, at).limit(min(surplus, STEP_ROWS))))
    return STEP_ROWS in gone


def _oldest(table: Table, at: Column[str]) -> Select[tuple[str]]:
    return select(table.c.id).order_by(at).limit(STEP_ROWS)


def _delete(connection: Connection, table: Table, which: Select[tuple[str]]) -> int:
    return connection.execute(delete(table).where(table.c.id.in_(which))).rowcount
