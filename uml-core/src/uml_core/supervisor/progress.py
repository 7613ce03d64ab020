"""How far a job is, and how long it will take."""

from __future__ import annotations

from time import monotonic

from uml_core.supervisor.job import Job
from uml_core.supervisor.slot import Slot
from uml_core.types import LoadProgress, WorkerState
from uml_core.types.status import LOADING

ENDING = {WorkerState.STOPPING: "unloading", WorkerState.VERIFYING: "verifying"}
KNOWN = 0.05
"""The part from which on it says something about the rest."""


def progress_of(job: Job, slot: Slot) -> LoadProgress | None:
    """Where *job* stands; None when it has ended."""
    if job.is_over:
        return None
    elapsed_s = monotonic() - job.created_s
    stage, worker = _stage(job, slot), slot.worker
    if stage not in LOADING or worker is None:
        return LoadProgress(stage=stage, elapsed_s=elapsed_s, eta_s=job.expected_s or None)
    part, source = worker.progress, worker.progress_source
    if part is None and job.expected_s:
        part, source = min(worker.age_s / job.expected_s, 0.99), "time"
    if part is not None:
        part = job.part = max(part, job.part)  # another source may know less, but what was shown stands
    total_bytes = worker.plan.model.size_bytes or None
    return LoadProgress(
        stage=stage,
        part=part,
        source=source,
        bytes_done=int(part * total_bytes) if part is not None and total_bytes else None,
        bytes_total=total_bytes,
        elapsed_s=elapsed_s,
        eta_s=_eta_s(job.expected_s, worker.age_s, part),
    )


def _stage(job: Job, slot: Slot) -> str:
    if job.stage in {"launching", "rolling back"} and slot.state in LOADING:
        return str(slot.state)
    if job.stage == "unloading":
        return ENDING.get(slot.state, job.stage)
    return job.stage


def _eta_s(expected_s: float | None, age_s: float, part: float | None) -> float | None:
    """What is left of the time that earlier loads took, else what *part* tells of the rest; None if nobody knows."""
    if expected_s and age_s < expected_s:
        return expected_s - age_s
    return age_s * (1 - part) / part if part is not None and part > KNOWN else None
