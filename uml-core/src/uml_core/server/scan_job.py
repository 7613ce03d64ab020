"""One scan of the models as a job: where it stands, and what it found."""

from __future__ import annotations

import asyncio
import enum
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from attrs import asdict, field, mutable

from uml_core.errors import UMLError
from uml_core.supervisor.job import new_id
from uml_core.supervisor.views import cause_view

if TYPE_CHECKING:
    from uml_core.registry.scan import ScanProgress, ScanReport

KNOWN = 0.05
"""The part from which on it says something about the rest."""


class ScanState(enum.StrEnum):
    """``scanning → committed | failed | cancelled``."""

    SCANNING = "scanning"
    COMMITTED = "committed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@mutable(eq=False)
class ScanJob:
    """A scan on its way. Its thread only sets ``progress``; everything else is the loop's.

    ``cancelled`` asks the thread to end before its next model.
    """

    reason: str
    id: str = field(factory=new_id, init=False)
    state: ScanState = field(default=ScanState.SCANNING, init=False)
    created: datetime = field(factory=lambda: datetime.now(UTC), init=False)
    created_s: float = field(factory=monotonic, init=False)
    finished: datetime | None = field(default=None, init=False)
    seconds: float | None = field(default=None, init=False)
    progress: ScanProgress | None = field(default=None, init=False)
    report: ScanReport | None = field(default=None, init=False)
    cause: UMLError | None = field(default=None, init=False)
    cancelled: bool = field(default=False, init=False)
    over: asyncio.Event = field(factory=asyncio.Event, init=False)

    @property
    def ended(self) -> bool:
        return self.finished is not None

    def finish(self, state: ScanState, *, report: ScanReport | None = None, cause: UMLError | None = None) -> None:
        """It has ended so; whoever waits for it goes on."""
        self.state, self.report, self.cause = state, report, cause
        self.finished = datetime.now(UTC)
        self.seconds = monotonic() - self.created_s
        self.over.set()


def scan_view(job: ScanJob) -> dict[str, Any]:
    """A scan as JSON, with the fields of every job."""
    return {
        "id": job.id,
        "kind": "scan",
        "state": str(job.state),
        "model": None,
        "reason": job.reason,
        "created": job.created.isoformat(timespec="milliseconds"),
        "finished": job.finished.isoformat(timespec="milliseconds") if job.finished else None,
        "seconds": None if job.seconds is None else round(job.seconds, 3),
        "position": 0,
        "waiting": 0,
        "previous": None,
        "switched": False,
        "rolled_back": False,
        "rollback_cause": None,
        "release": None,
        "progress": None if job.ended else _progress(job),
        "report": _report(job.report) if job.report else None,
        "cause": cause_view(job.cause),
    }


def _progress(job: ScanJob) -> dict[str, Any]:
    elapsed_s, at = monotonic() - job.created_s, job.progress
    if at is None:
        known: dict[str, Any] = {"stage": "listing", "part": None, "done": 0, "total": None, "model": None}
        return {**known, "elapsed_s": round(elapsed_s, 3), "eta_s": None}
    part = at.done / at.total if at.total else 1.0
    return {
        "stage": "reading",
        "part": round(part, 3),
        "done": at.done,
        "total": at.total,
        "model": at.model,
        "elapsed_s": round(elapsed_s, 3),
        "eta_s": round(elapsed_s * (1 - part) / part, 3) if part > KNOWN else None,
    }


def _report(report: ScanReport) -> dict[str, Any]:
    problems = [{"reason": problem.reason} for problem in report.problems]
    return {**asdict(report, recurse=False), "seconds": round(report.seconds, 3), "problems": problems}
