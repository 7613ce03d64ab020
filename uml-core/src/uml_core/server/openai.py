"""OpenAI's list of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from uml_core.errors import ModelNotFoundError
from uml_core.server.catalog import Catalog, Entry
from uml_core.server.json import json_response
from uml_core.server.loaded import status_of

if TYPE_CHECKING:
    from uml_core.supervisor import Active, Supervisor


def models_router(catalog: Catalog, supervisor: Supervisor) -> APIRouter:
    """``/v1/models``: what can be loaded, as OpenAI lists it."""
    router = APIRouter(tags=["openai"])

    @router.get("/v1/models")
    async def list_models() -> Response:
        """List the models that can be used: nothing that is only a part of one, or lacks a file."""
        entries, active = await catalog.entries(), supervisor.active()
        data = [_model_object(entry, active) for entry in entries if entry.loadable]
        return json_response({"object": "list", "data": data})

    @router.get("/v1/models/{model:path}")
    async def retrieve_model(model: str) -> Response:
        """Describe one model, by its id or an alias."""
        model_id = await catalog.id_of(model)
        for entry in await catalog.entries():
            if entry.model.id == model_id:
                return json_response(_model_object(entry, supervisor.active()))
        raise ModelNotFoundError(f"model '{model}' was here a moment ago; `GET /v1/models` lists those that are")

    return router


def _model_object(entry: Entry, active: Active | None) -> dict[str, Any]:
    return {
        "id": entry.model.id,
        "object": "model",
        "created": entry.modified_s,
        "owned_by": entry.model.store,
        "status": status_of(entry.model.id, active),
    }
