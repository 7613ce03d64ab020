"""How far a load is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

WORKING = frozenset({"launching", "loading", "probing", "draining", "stopping", "verifying"})


@frozen
class Stage:
    """What is being done, and the part of it that is done: 0 to 1, None when nobody knows."""

    label: str
    progress: float | None = None


def stage_of(active: Mapping[str, Any] | None) -> Stage | None:
    """The stage that ``GET /active_model`` tells of; None when nothing is under way."""
    if active is None or active.get("state") not in WORKING:
        return None
    return Stage(f"{active['state']} {active['model']}", active.get("progress"))
