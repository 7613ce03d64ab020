"""What others ask of the database; each runs on the writer's connection."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from uml_core.storage.tables import loads


def load_seconds(connection: Connection, model_id: str, backend: str, count: int = 10) -> Sequence[RowMapping]:
    """The ``seconds`` of the last *count* committed loads of a model by a backend, newest first."""
    statement = (
        select(loads.c.seconds)
        .where(loads.c.model_id == model_id, loads.c.backend == backend)
        .where(loads.c.kind == "load", loads.c.state == "committed", loads.c.seconds.is_not(None))
        .order_by(loads.c.finished.desc())
        .limit(count)
    )
    return connection.execute(statement).mappings().all()


def last_load(connection: Connection) -> Sequence[RowMapping]:
    """The newest committed job as a row, nothing if that emptied the slot: what was loaded when the gateway ended."""
    statement = select(loads).where(loads.c.state == "committed").order_by(loads.c.finished.desc()).limit(1)
    return [row for row in connection.execute(statement).mappings() if row["kind"] != "unload"]
