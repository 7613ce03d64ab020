"""The two state machines, and the value that tells of a transition."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import frozen


class WorkerState(enum.StrEnum):
    """``launching → loading → probing → ready ⇄ busy → draining → stopping → verifying → gone | quarantined``."""

    LAUNCHING = "launching"
    LOADING = "loading"
    PROBING = "probing"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    STOPPING = "stopping"
    VERIFYING = "verifying"
    GONE = "gone"
    QUARANTINED = "quarantined"


LOADING = frozenset({WorkerState.LAUNCHING, WorkerState.LOADING, WorkerState.PROBING})
"""A worker that is not ready yet."""


class SwitchState(enum.StrEnum):
    """``checking → evicting → starting → committed``, or ``rolling_back → rolled_back | failed``, or ``cancelled``.

    A job that has not begun yet is ``queued``.
    """

    QUEUED = "queued"
    CHECKING = "checking"
    EVICTING = "evicting"
    STARTING = "starting"
    COMMITTED = "committed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"


@frozen(kw_only=True)
class ModelStatus:
    """One transition of the worker in a slot. ``previous`` is None for the first of a generation."""

    slot: int
    generation: int
    model_id: str
    backend: str
    state: WorkerState
    previous: WorkerState | None
    at: datetime
    reason: str = ""
    progress: float | None = None
