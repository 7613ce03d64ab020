"""Jobs and transitions as JSON: the same everywhere, in HTTP answers, events and ``--json``."""

from __future__ import annotations

from typing import Any

from uml_core.errors import UMLError
from uml_core.supervisor.memory_view import brief
from uml_core.types import JobStatus, LoadProgress, ModelStatus, Release


def job_view(job: JobStatus) -> dict[str, Any]:
    """One job."""
    plan = job.plan
    asked = job.request.model if job.request else None
    return {
        "id": job.id,
        "kind": job.kind,
        "state": str(job.state),
        "model": plan.model_id if plan else asked,
        "backend": plan.backend if plan else None,
        "reason": job.reason,
        "created": job.created.isoformat(timespec="milliseconds"),
        "finished": job.finished.isoformat(timespec="milliseconds") if job.finished else None,
        "seconds": _rounded(job.seconds),
        "rollback_seconds": _rounded(job.rollback_seconds),
        "position": job.position,
        "waiting": job.waiting,
        "progress": progress_view(job.progress) if job.progress else None,
        "previous": job.previous,
        "switched": job.switched,
        "rolled_back": job.rolled_back,
        "cause": cause_view(job.cause),
        "rollback_cause": cause_view(job.rollback_cause),
        "release": release_view(job.release) if job.release else None,
        "memory": brief(plan.memory) if plan and plan.memory else None,
        "context_length": plan.context_length if plan else None,
        "threads": plan.threads if plan else None,
        "spin": plan.spin if plan else None,
        "tasks": list(plan.tasks) if plan else None,
        "port": job.port,
    }


def progress_view(progress: LoadProgress) -> dict[str, Any]:
    """How far a job is."""
    return {
        "stage": progress.stage,
        "part": _rounded(progress.part),
        "source": progress.source,
        "bytes_done": progress.bytes_done,
        "bytes_total": progress.bytes_total,
        "elapsed_s": _rounded(progress.elapsed_s),
        "eta_s": _rounded(progress.eta_s),
    }


def release_view(release: Release) -> dict[str, Any]:
    """What an unload gave back; sizes in bytes."""
    return {
        "freed": release.freed_bytes,
        "expected": release.expected_bytes,
        "unattributed": release.unattributed_bytes,
        "leftover_pids": list(release.leftover_pids),
        "proven": release.proven,
        "seconds": _rounded(release.seconds),
    }


def cause_view(error: UMLError | None) -> dict[str, Any] | None:
    """Why something failed."""
    if error is None:
        return None
    memory = error.plan.memory if error.plan else None
    return {
        "code": error.code,
        "message": error.message,
        "detail": list(error.detail),
        "status": error.status,
        "permanent": error.permanent,
        "memory": brief(memory) if memory else None,
    }


def worker_view(status: ModelStatus) -> dict[str, Any]:
    """One transition of a worker."""
    return {
        "slot": status.slot,
        "generation": status.generation,
        "model": status.model_id,
        "backend": status.backend,
        "state": str(status.state),
        "previous": str(status.previous) if status.previous else None,
        "at": status.at.isoformat(timespec="milliseconds"),
        "reason": status.reason,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
