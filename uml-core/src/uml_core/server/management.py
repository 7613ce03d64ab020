"""What is loaded, the plugins, and whether all is well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from uml_core import __version__
from uml_core.errors import ShuttingDownError
from uml_core.plugins import Plugins
from uml_core.server.cards import plugin_card, without_places
from uml_core.server.choice import running_job
from uml_core.server.in_flight import InFlight
from uml_core.server.json import json_response
from uml_core.server.loaded import description
from uml_core.server.performance import Performance
from uml_core.settings import Settings
from uml_core.supervisor.views import job_view

if TYPE_CHECKING:
    from uml_core.storage import Storage
    from uml_core.supervisor import Supervisor


def management_router(
    *,
    plugins: Plugins,
    settings: Settings,
    supervisor: Supervisor,
    performance: Performance,
    in_flight: InFlight,
    storage: Storage | None,
) -> APIRouter:
    """Everything that only looks."""
    router = APIRouter(tags=["management"])

    @router.get("/active_model")
    async def active_model() -> Response:
        """Describe what is loaded or being loaded, and the job that is at work."""
        active, job = supervisor.active(), running_job(supervisor)
        said: dict[str, Any] = {"model": None} if active is None else description(active, performance)
        said |= {"queue": len(supervisor.waiting()), "job": None if job is None else job_view(job)}
        return json_response(said)

    @router.get("/plugins")
    async def list_plugins() -> Response:
        """List the plugins, also those that failed, with the reason."""
        cards = await asyncio.to_thread(lambda: [without_places(plugin_card(card, settings)) for card in plugins.cards])
        return json_response({"object": "list", "data": cards})

    @router.get("/livez")
    async def livez() -> Response:
        """Say that the process is alive."""
        return json_response({"status": "ok", "version": __version__})

    @router.get("/readyz")
    async def readyz() -> Response:
        """Say whether requests are taken, which they also are with no model loaded, and what is not as it should be."""
        active = supervisor.active()
        reason = ShuttingDownError().message if in_flight.draining else supervisor.why_not
        trouble = storage.degraded if storage is not None else None
        response = json_response(
            {
                "status": "ok" if reason is None else "unavailable",
                "model": active.plan.model_id if active else None,
                "state": str(active.state) if active else "unloaded",
                "reason": reason,
                "degraded": [] if trouble is None else [f"storage: {trouble}"],
            }
        )
        response.status_code = 200 if reason is None else 503
        return response

    return router
