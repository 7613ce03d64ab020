"""What is being done, what waits, and calling it off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from uml_core.server.json import json_response
from uml_core.server.work import Work

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor
    from uml_core.supervisor.messages import Waiting


def jobs_router(*, work: Work, supervisor: Supervisor, queue_limit: int) -> APIRouter:
    """Jobs, and the requests that wait.

    :param queue_limit: how many may wait
    """
    router = APIRouter(tags=["management"])

    @router.get("/jobs")
    async def list_jobs() -> Response:
        """List the jobs that run, those that wait, and the last that ended, newest first: loads, unloads and scans."""
        return json_response({"object": "list", "data": work.views()})

    @router.get("/jobs/{job_id}")
    async def get_job(job_id: str) -> Response:
        """Describe one job."""
        return json_response(work.view(job_id))

    @router.delete("/jobs/{job_id}")
    async def cancel_job(job_id: str) -> Response:
        """Cancel a job, for all who wait for it."""
        return json_response(await work.cancel(job_id))

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
