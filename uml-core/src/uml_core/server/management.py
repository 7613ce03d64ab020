"""What is loaded, what could be, and changing it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from uml_core import __version__
from uml_core.errors import BadRequestError
from uml_core.plugins import Plugins
from uml_core.server.cards import model_card, plugin_card
from uml_core.server.catalog import Catalog
from uml_core.server.in_flight import InFlight
from uml_core.server.json import json_response
from uml_core.server.loaded import description
from uml_core.server.performance import Performance
from uml_core.types import LoadRequest

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

Name = Annotated[str, Field(min_length=1, max_length=512)]


class LoadModelRequest(BaseModel):
    """The body of ``POST /load_model``. A model is a name here; paths are for the command line."""

    model_config = ConfigDict(extra="forbid")

    model: Name
    backend: Name | None = Field(None, description="the backend to load it with; chosen when absent")
    context_length: int | None = Field(None, gt=0, le=2**24, description="tokens a sequence")
    parallel: int | None = Field(None, gt=0, le=64, description="sequences at once")
    options: Annotated[dict[str, Any], Field(max_length=256)] | None = Field(
        None, description="the backend's own options"
    )

    def to_load(self) -> LoadRequest:
        """What the supervisor is asked.

        :raises BadRequestError: the model is given as a path
        """
        if self.model.startswith(("/", ".", "~")) or "\\" in self.model or "/../" in self.model:
            raise BadRequestError(
                f"'{self.model}' is a path, but over HTTP a model is a name of `GET /models`; put the file into the "
                "models folder, or use `uml run` with its path",
                param="model",
            )
        return LoadRequest(
            model=self.model,
            backend=self.backend,
            context_length=self.context_length,
            parallel=self.parallel,
            options=self.options or {},
        )


class UnloadModelRequest(BaseModel):
    """The body of ``POST /unload_model``."""

    model_config = ConfigDict(extra="forbid")


def management_router(
    *,
    plugins: Plugins,
    supervisor: Supervisor,
    catalog: Catalog,
    performance: Performance,
    in_flight: InFlight,
) -> APIRouter:
    """Everything but OpenAI's paths."""
    router = APIRouter(tags=["management"])

    @router.post("/load_model")
    async def load_model(asked: LoadModelRequest) -> Response:
        """Load a model in place of what is loaded, and answer when it's ready."""
        started_s = time.monotonic()
        request = asked.to_load()
        await catalog.id_of(request.model)  # an unknown name shall not wait for a load that is under way
        plan = await supervisor.load(request)
        active = supervisor.active()
        return json_response(
            {
                "model": plan.model_id,
                "backend": plan.backend,
                "state": "ready",
                "port": active.port if active and active.plan.model_id == plan.model_id else None,
                "context_length": plan.context_length,
                "tasks": plan.tasks,
                "reason": plan.reason,
                "seconds": round(time.monotonic() - started_s, 3),
            }
        )

    @router.post("/unload_model")
    async def unload_model(_: UnloadModelRequest | None = None) -> Response:
        """Unload what is loaded, after the requests that it is answering."""
        return json_response({"unloaded": await supervisor.unload()})

    @router.get("/active_model")
    async def active_model() -> Response:
        """Describe what is loaded or being loaded."""
        active = supervisor.active()
        return json_response({"model": None} if active is None else description(active, performance))

    @router.get("/models")
    async def models() -> Response:
        """List the models of this machine, also those that can't be read, with the reason."""
        active = supervisor.active()
        return json_response(
            {"object": "list", "data": [model_card(entry, active) for entry in await catalog.entries()]}
        )

    @router.get("/plugins")
    async def list_plugins() -> Response:
        """List the plugins, also those that failed, with the reason."""
        return json_response({"object": "list", "data": [plugin_card(card) for card in plugins.cards]})

    @router.get("/livez")
    async def livez() -> Response:
        """Say that the process is alive."""
        return json_response({"status": "ok", "version": __version__})

    @router.get("/readyz")
    async def readyz() -> Response:
        """Say whether requests are taken, which they also are with no model loaded."""
        active = supervisor.active()
        ready = supervisor.accepting and not in_flight.draining
        response = json_response(
            {
                "status": "ok" if ready else "unavailable",
                "model": active.plan.model_id if active else None,
                "state": str(active.state) if active else "unloaded",
            }
        )
        response.status_code = 200 if ready else 503
        return response

    return router
