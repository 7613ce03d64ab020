"""Measurements of memory as rows of their table, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import asdict, fields

from uml_core.storage.line import stamp
from uml_core.types import Measurement


def measurement_to_row(measurement: Measurement) -> dict[str, Any]:
    """Every field in its column."""
    return {**asdict(measurement), "measured": stamp(measurement.measured)}


def measurement_from_row(row: Mapping[str, Any]) -> Measurement:
    """The measurement of a row; columns of a later version are left out.

    :raises ValueError, TypeError, KeyError: it is no such row
    """
    facts = {field.name: row[field.name] for field in fields(Measurement) if field.name in row}
    sizes = {name: int(facts[name]) for name in ("predicted_bytes", "measured_bytes")}
    return Measurement(
        **{
            **facts,
            **sizes,
            "units": int(facts.get("units") or 0),
            "used": bool(facts.get("used")),  # SQLite has numbers for it
            "measured": datetime.fromisoformat(facts["measured"]),
        }
    )
