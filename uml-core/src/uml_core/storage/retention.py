"""How much is kept: the newest rows, of some those of the last months; of models, what is known of those there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, Select, Table, delete, func, select

from uml_core.storage.line import stamp
from uml_core.storage.tables import (
    aliases,
    loads,
    measurements,
    models,
    pins,
    profiles,
    requests,
    transitions,
    usage,
)

KEEP_ROWS = 100_000
KEEP_DAYS = 90
KEEP_PROFILES = 20
KEEP_MEASUREMENTS = 20
"""Of one model with one build of an engine on one device, of each kind."""
MOST_MEASUREMENTS = 2000
"""Of all: they are read whole when a gateway starts."""
STEP_ROWS = 500
LIMITED: tuple[tuple[Table, Column[str]], ...] = ((transitions, transitions.c.at), (requests, requests.c.started))
COUNTED: tuple[tuple[Table, Column[str]], ...] = (
    *LIMITED,
    (loads, loads.c.finished),
    (measurements, measurements.c.measured),
)
PROFILES = ("model_id", "backend", "source")
MEASUREMENTS = ("model_id", "backend", "engine", "device", "kind")
AGED: tuple[tuple[Table, Column[str]], ...] = (*LIMITED, (aliases, aliases.c.removed), (pins, pins.c.removed))


def prune(connection: Connection) -> bool:
    """Delete a few of the oldest rows that are too many or too old; return whether there may be more."""
    before = stamp(datetime.now(UTC) - timedelta(days=KEEP_DAYS))
    gone = [_delete(connection, table, _oldest(table, at).where(at < before)) for table, at in AGED]
    for table, at in COUNTED:
        most = MOST_MEASUREMENTS if table is measurements else KEEP_ROWS
        surplus = (connection.scalar(select(func.count()).select_from(table)) or 0) - most
        if surplus > 0:
            gone.append(_delete(connection, table, _oldest(table, at).limit(min(surplus, STEP_ROWS))))
    gone += (
        *_forget(connection, before),
        _delete(connection, profiles, _surplus(profiles, PROFILES, KEEP_PROFILES)),
        _delete(connection, measurements, _surplus(measurements, MEASUREMENTS, KEEP_MEASUREMENTS)),
    )
    return STEP_ROWS in gone


def _oldest(table: Table, at: Column[str]) -> Select[tuple[str]]:
    return select(table.c.id).order_by(at).limit(STEP_ROWS)


def _forget(connection: Connection, before: str) -> Iterator[int]:
    """Delete what is known of models that are gone since then; what they were called may be another place's by now."""
    lost = select(models.c.id).where(models.c.gone < before).order_by(models.c.gone).limit(STEP_ROWS)
    if not (rows := connection.execute(select(models.c.id, models.c.model_id).where(models.c.id.in_(lost))).all()):
        return
    keys, names = (list(column) for column in zip(*rows, strict=True))
    yield connection.execute(delete(models).where(models.c.id.in_(keys))).rowcount
    names = list({*names} - {*connection.scalars(select(models.c.model_id).where(models.c.model_id.in_(names)))})
    connection.execute(delete(profiles).where(profiles.c.model_id.in_(names)))
    connection.execute(delete(usage).where(usage.c.id.in_(names)))


def _surplus(table: Table, alike: tuple[str, ...], most: int) -> Select[tuple[str]]:
    """All but the newest *most* rows of those that are equal in the columns *alike*."""
    newest = func.row_number().over(partition_by=[table.c[name] for name in alike], order_by=table.c.measured.desc())
    ranked = select(table.c.id, newest.label("place")).subquery()
    return select(ranked.c.id).where(ranked.c.place > most).limit(STEP_ROWS)


def _delete(connection: Connection, table: Table, which: Select[tuple[str]]) -> int:
    return connection.execute(delete(table).where(table.c.id.in_(which))).rowcount
