"""Every transition is told to the plugins, published to listeners, and written down."""

from __future__ import annotations

import itertools
from typing import Any

from uml_core.plugins import Plugins
from uml_core.storage import Storage
from uml_core.supervisor.events import Events
from uml_core.supervisor.views import job_view, worker_view
from uml_core.types import JobStatus, ModelStatus, WorkerState

OPEN = frozenset({WorkerState.READY, WorkerState.BUSY})
PHASES = ("check", "drain", "unload", "start", "probe")


class Announcer:
    """Tells of what the owner and its slot do; telling never fails and never waits."""

    def __init__(self, plugins: Plugins, storage: Storage) -> None:
        self.events = Events()
        self.storage = storage
        self._plugins = plugins
        self._numbers = itertools.count(1)

    def worker(self, status: ModelStatus, *, job_id: str | None) -> None:
        """A worker changed its state."""
        self._plugins.tell("uml_model_status", status=status)
        if status.state in OPEN and status.previous in OPEN:
            return  # each request does that: the table of requests tells more of it than two rows more would
        self.events.publish("worker", worker_view(status) | {"job": job_id})
        self._write(
            "worker",
            at=status.at.isoformat(),
            slot=status.slot,
            generation=status.generation,
            job_id=job_id,
            model_id=status.model_id,
            from_state=str(status.previous) if status.previous else None,
            to_state=str(status.state),
            reason=status.reason,
        )

    def switch(self, job: JobStatus, *, previous: str | None, at: str) -> None:
        """A job changed its state."""
        self.job(job)
        self._write(
            "switch",
            at=at,
            job_id=job.id,
            model_id=_model_of(job),
            from_state=previous,
            to_state=str(job.state),
            reason=job.cause.message if job.cause else job.reason,
        )

    def job(self, job: JobStatus) -> None:
        """A job went on."""
        self.events.publish("job", job_view(job))

    def _write(self, machine: str, **facts: Any) -> None:
        row_id = f"{self.storage.run_id}-{next(self._numbers):08d}"
        self.storage.put("transitions", {"id": row_id, "run_id": self.storage.run_id, "machine": machine, **facts})


def load_row(job: JobStatus, *, run_id: str, seconds: dict[str, float]) -> dict[str, Any]:
    """One row of the table ``loads``; *seconds* are those of each phase."""
    plan = job.plan
    return {
        "id": job.id,
        "run_id": run_id,
        "kind": job.kind,
        "model_id": _model_of(job),
        "backend": plan.backend if plan else None,
        "request": _request(job) if job.request else None,
        "options": dict(plan.options) if plan else None,
        "context_length": plan.context_length if plan else None,
        "state": str(job.state),
        "cause_code": job.cause.code if job.cause else None,
        "cause": job.cause.message if job.cause else None,
        "reason": job.reason,
        "previous": job.previous,
        "started": job.created.isoformat(),
        "finished": job.finished.isoformat() if job.finished else None,
        "seconds": job.seconds,
        "rolled_back": job.rolled_back,
        **{f"{phase}_s": round(seconds[phase], 4) for phase in PHASES if phase in seconds},
    }


def _request(job: JobStatus) -> dict[str, Any]:
    asked = job.request
    assert asked is not None
    return {
        "model": asked.model,
        "backend": asked.backend,
        "context_length": asked.context_length,
        "parallel": asked.parallel,
        "threads": asked.threads,
        "spin": asked.spin,
        "options": dict(asked.options),
    }


def _model_of(job: JobStatus) -> str | None:
    if job.plan:
        return job.plan.model_id
    return job.request.model if job.request else job.previous
