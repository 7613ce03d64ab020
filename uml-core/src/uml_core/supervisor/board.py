"""What is known of the jobs, told to others and written down."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, Any

from uml_core.errors import UMLError
from uml_core.supervisor.announcer import Announcer, load_row
from uml_core.supervisor.job import Job
from uml_core.supervisor.jobs import Jobs
from uml_core.supervisor.progress import progress_of
from uml_core.supervisor.service import Service
from uml_core.types import JobStatus, Plan, SwitchState

if TYPE_CHECKING:
    from uml_core.registry.records import Records

TICK_S = 0.25
QUICK_S = 1.0
"""What is done within this needs no estimate, and the database need not be opened for it."""


class Board:
    """Sets the states of jobs, and tells of each change."""

    def __init__(self, jobs: Jobs, service: Service, announcer: Announcer, records: Records) -> None:
        self._jobs = jobs
        self._records = records
        self._service = service
        self._announcer = announcer

    def status(self, job: Job) -> JobStatus:
        """A copy of *job* for others."""
        job.waiting = 0 if job.is_over else self._service.admission.count(job.leads_to)
        progress = progress_of(job, self._service.slot)
        return job.status(position=self._jobs.position(job), progress=progress)

    def queued(self, job: Job) -> None:
        """It is in the queue now."""
        self._announcer.job(self.status(job))

    def begin(self, job: Job) -> None:
        """It is the one that runs from now on."""
        self._service.slot.job_id = job.id
        self.move(job, SwitchState.CHECKING)

    def move(self, job: Job, state: SwitchState) -> None:
        previous, job.state = job.state, state
        self._announcer.switch(self.status(job), previous=str(previous), at=_now())
        if state is not SwitchState.CHECKING:
            self._write(job)

    def end(self, job: Job, state: SwitchState) -> None:
        """It has ended so; whoever waits for it goes on."""
        if self._jobs.running is job:
            self._service.slot.job_id = None
        previous = job.state
        self._jobs.end(job, state)
        self._announcer.switch(self.status(job), previous=str(previous), at=_now())
        if job.switched or job.cause:  # else it was loaded already, and nothing happened
            self._write(job)
        if job.kind == "load" and job.switched and job.plan:
            self._records.count_load(job.plan.model_id)

    async def follow(self, job: Job) -> None:
        """Tell how far it is until it has ended, and remember how long earlier ones of its kind took."""
        seen: object = None
        while not job.is_over:
            if job.plan is not None and job.expected_s is None and monotonic() - job.created_s > QUICK_S:
                job.expected_s = await self._expected_s(job.plan.model_id, job.plan.backend)
            status = self.status(job)
            shown = status.progress and (status.progress.stage, status.progress.part)
            if shown != seen and not job.is_over:
                seen = shown
                self._announcer.job(status)
            await asyncio.sleep(TICK_S)

    async def _expected_s(self, model_id: str, backend: str) -> float:
        with contextlib.suppress(UMLError):
            seconds = await self._announcer.storage.load_seconds(model_id, backend)
            return median(seconds) if seconds else 0.0
        return 0.0

    def _write(self, job: Job) -> None:
        if job.kept:
            self._announcer.storage.put("loads", self._row(job))

    def _row(self, job: Job) -> dict[str, Any]:
        slot, worker = self._service.slot, self._service.slot.worker
        row = load_row(self.status(job), run_id=self._announcer.storage.run_id, seconds=job.phases)
        measured_bytes = (worker.peak_bytes or None) if worker else None  # until it is measured kind by kind
        return {
            **row,
            "generation": slot.generation,
            "predicted_bytes": _predicted_bytes(job.plan),
            "measured_bytes": measured_bytes,
        }


def _predicted_bytes(plan: Plan | None) -> int | None:
    if plan is None:
        return None
    return plan.memory.estimate.total_bytes if plan.memory else plan.model.size_bytes


def _now() -> str:
    return datetime.now(UTC).isoformat()
