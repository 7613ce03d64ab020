"""The models of this machine over HTTP: look at them, name them, pin them, remove them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from uml_core.errors import UMLError
from uml_core.server.catalog import Catalog
from uml_core.server.inventory import Inventory
from uml_core.server.json import json_response
from uml_core.server.wanted import Wanted
from uml_core.server.wish import Name

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

Wish = Annotated[str | None, Query(max_length=200)]


class AliasRequest(BaseModel):
    """The body of ``PUT /aliases/{alias}``."""

    model_config = ConfigDict(extra="forbid")

    model: Name


def inventory_router(*, inventory: Inventory, catalog: Catalog, supervisor: Supervisor) -> APIRouter:
    """What is known of the models, and what people decide about them. Everything that waits for a disk has a thread."""
    router = APIRouter(tags=["models"])

    @router.get("/models")
    async def list_models(task: Wish = None, format: Wish = None, store: Wish = None, q: Wish = None) -> Response:
        """List the models of this machine, also those that can't be read, with the reason.

        Only those for a `task` (a pipeline tag), of a `format`, of a `store`, or with all words of `q` in their names
        and facts, if that is asked for. A model that was not read yet is `pending`: a scan of them has begun then.
        """
        shelf, wanted = await catalog.shelf(), Wanted(task=task, format=format, store=store, query=q)
        active = supervisor.active()

        def respond() -> Response:  # thousands of cards are too much work for the loop
            return json_response(inventory.listing(shelf, wanted=wanted, active=active))

        return await asyncio.to_thread(respond)

    @router.get("/models/{id:path}")
    async def describe_model(id: str) -> Response:
        """Describe one model: its facts, dimensions and files, what each backend says of it, and how it did.

        By its id, an alias, or a part of its id that fits no other.
        """
        return json_response(await asyncio.to_thread(inventory.model, id, active=supervisor.active()))

    @router.delete("/models/{id:path}")
    async def remove_model(id: str) -> Response:
        """Remove a model from the disk, for good: by its whole id or an alias, and only what UML itself keeps.

        The answer names the files, and says how much was freed. What is loaded or pinned stays.
        """
        used = await _used(supervisor, catalog)
        try:
            return json_response(await asyncio.to_thread(inventory.remove, id, used=used))
        finally:
            catalog.forget()

    @router.get("/aliases")
    async def list_aliases() -> Response:
        """List the further names of models, and whether `uml.toml` or a user gave them."""
        return json_response({"object": "list", "data": inventory.aliases()})

    @router.put("/aliases/{alias:path}")
    async def set_alias(alias: str, asked: AliasRequest) -> Response:
        """Let an alias name a model, in place of what it named before."""
        said = await asyncio.to_thread(inventory.set_alias, alias, asked.model)
        catalog.forget()
        return json_response(said)

    @router.delete("/aliases/{alias:path}")
    async def remove_alias(alias: str) -> Response:
        """Let an alias name nothing any more."""
        said = inventory.remove_alias(alias)
        catalog.forget()
        return json_response(said)

    @router.put("/pins/{id:path}")
    async def pin_model(id: str) -> Response:
        """Pin a model: it can't be removed until the pin is taken off. The body is empty, or `{}`."""
        return json_response(await asyncio.to_thread(inventory.pin, id, True))  # noqa: FBT003 - a pin is on or off

    @router.delete("/pins/{id:path}")
    async def unpin_model(id: str) -> Response:
        """Take the pin off a model; one without a pin stays as it is."""
        return json_response(await asyncio.to_thread(inventory.pin, id, False))  # noqa: FBT003

    return router


async def _used(supervisor: Supervisor, catalog: Catalog) -> set[str]:
    """The ids of the models that are loaded, being loaded, or waiting to be."""
    active = supervisor.active()
    used = {active.plan.model_id} if active else set()
    for job in supervisor.jobs():
        if job.ended:
            continue
        if job.plan is not None:
            used.add(job.plan.model_id)
        elif job.request is not None:
            try:
                used.add(await catalog.id_of(job.request.model))
            except UMLError:  # it will fail by itself
                continue
    return used
