"""What is being done, what waits, and calling it off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from uml_core.server.json import json_response
from uml_core.supervisor.views import job_view

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor
    from uml_core.supervisor.messages import Waiting


def jobs_router(*, supervisor: Supervisor, queue_limit: int) -> APIRouter:
    """Jobs, and the requests that wait.

    :param queue_limit: how many may wait
    """
    router = APIRouter(tags=["management"])

    @router.get("/jobs")
    async def list_jobs() -> Response:
        """List the job that runs, those that wait, and the last that ended, newest first."""
        return json_response({"object": "list", "data": [job_view(job) for job in supervisor.jobs()]})

    @router.get("/jobs/{job_id}")
    async def get_job(job_id: str) -> Response:
        """Describe one job."""
        return json_response(job_view(supervisor.job(job_id)))

    @router.delete("/jobs/{job_id}")
    async def cancel_job(job_id: str) -> Response:
        """Cancel a job, for all who wait for it."""
        return json_response(job_view(await supervisor.cancel(job_id)))

    @router.get("/queue")
    async def queue() -> Response:
        """List the requests that wait for their model, in the order in which they will be answered."""
        waiting = supervisor.waiting()
        listed = [_waiting_view(one) for one in waiting]
        return json_response({"length": len(waiting), "limit": queue_limit, "requests": listed})

    return router


def _waiting_view(waiting: Waiting) -> dict[str, Any]:
    return {
        "id": waiting.id,
        "model": waiting.model,
        "position": waiting.position,
        "waited_s": round(waiting.waited_s, 3),
    }
