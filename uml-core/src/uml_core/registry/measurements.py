"""What loads took of memory on this machine, as it is remembered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from uml_core.registry.card_row import DAMAGED
from uml_core.registry.measurement_row import measurement_from_row, measurement_to_row
from uml_core.registry.rows import Rows
from uml_core.types import Measurement

KEPT = 20
"""Of one model with one build of an engine on one device, of each kind: as many as storage keeps."""
log = logging.getLogger(__name__)


class Measurements:
    """The rows of the table ``measurements``, made into values once."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        found = ((id, _measurement(row)) for id, row in rows["measurements"].items())
        self._known = {id: measurement for id, measurement in found if measurement}

    def of(self, backend: str) -> tuple[Measurement, ...]:
        """Those of one backend, the newest first."""
        with self._rows.lock:
            mine = [measurement for measurement in self._known.values() if measurement.backend == backend]
        return tuple(sorted(mine, key=lambda one: one.measured, reverse=True))

    def put(self, measurement: Measurement, *, load: str) -> None:
        """Remember one; a later one of the same load, device and kind takes its place."""
        id = f"{load}/{measurement.device}/{measurement.kind}"
        with self._rows.lock:
            self._rows.put("measurements", id, **measurement_to_row(measurement))
            self._known[id] = measurement
            alike = [known for known, other in self._known.items() if _key(other) == _key(measurement)]
            alike.sort(key=lambda known: self._known[known].measured, reverse=True)
            for surplus in alike[KEPT:]:
                del self._known[surplus]
                self._rows["measurements"].pop(surplus, None)


def _key(one: Measurement) -> tuple[str, ...]:
    return one.model_id, one.backend, one.engine, one.device, one.kind


def _measurement(row: Mapping[str, Any]) -> Measurement | None:
    try:
        return measurement_from_row(row)
    except DAMAGED:
        log.warning("a measurement of the model '%s' can't be read; it is left out", row.get("model_id"))
        return None
