"""What a gateway that was killed left open, closed by the next one."""

from __future__ import annotations

from sqlalchemy import Connection, update

from uml_core.storage.line import stamp
from uml_core.storage.tables import loads, requests


def recover(connection: Connection, run_id: str) -> None:
    """Give every request and every load of other runs its end. A second time changes nothing."""
    connection.execute(
        update(requests)
        .where(requests.c.status == "started", requests.c.run_id.is_distinct_from(run_id))
        .values(status="aborted")  # when it ended nobody knows
    )
    connection.execute(
        update(loads)
        .where(loads.c.finished.is_(None), loads.c.run_id.is_distinct_from(run_id))
        .values(
            state="failed",
            cause_code="gateway_killed",
            cause="the gateway ended while this job was running; load the model again",
            finished=stamp(),
        )
    )
