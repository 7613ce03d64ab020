"""What others ask of the database; each runs on the writer's connection."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from uml_core.storage.tables import loads


def load_seconds(connection: Connection, model_id: str, backend: str, count: int = 10) -> Sequence[RowMapping]:
    """From launch to ready, in the last *count* loads of a model by a backend, newest first."""
    statement = (
        select(loads.c.start_s.label("seconds"))
        .where(loads.c.model_id == model_id, loads.c.backend == backend)
        .where(loads.c.state == "committed", loads.c.start_s.is_not(None))
        .order_by(loads.c.finished.desc())
        .limit(count)
    )
    return connection.execute(statement).mappings().all()


def last_load(connection: Connection) -> Sequence[RowMapping]:
    """The newest load that was asked for and done, as a row; nothing if the slot was emptied after it."""
    statement = (
        select(loads)
        .where(loads.c.state == "committed", loads.c.kind.in_(("load", "unload")))
        .where((loads.c.kind == "unload") | loads.c.start_s.is_not(None))
        .order_by(loads.c.finished.desc())
        .limit(1)
    )
    return [row for row in connection.execute(statement).mappings() if row["kind"] != "unload"]
