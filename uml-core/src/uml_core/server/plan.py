"""``POST /plan``: what a load would take and do, with nothing touched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from uml_core.server.catalog import Catalog
from uml_core.server.inventory import Inventory
from uml_core.server.json import json_response
from uml_core.server.wish import Wished

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

AT_ONCE = 2
"""A plan may ask an engine, in a process of its own; more of these at once would only take each other's time."""


class PlanRequest(Wished):
    """The body of ``POST /plan``."""


def plan_router(*, inventory: Inventory, catalog: Catalog, supervisor: Supervisor) -> APIRouter:
    """What is asked before a load."""
    router = APIRouter(tags=["management"])
    turn = asyncio.Semaphore(AT_ONCE)

    @router.post("/plan")
    async def plan(asked: PlanRequest) -> Response:
        """Plan a load: what it would take on each device against what there is, every decision and its reason.

        What is loaded now counts as free. The answer is 200 also when it doesn't fit; then it has the `problem`, and
        what `would_fit`. `load` is the body for `POST /load_model` that loads exactly this.
        """
        load = asked.to_load()
        await catalog.id_of(load.model)
        async with turn:
            freed = await supervisor.freed()
            return json_response(await asyncio.to_thread(inventory.plan, load, freed=freed))

    return router
