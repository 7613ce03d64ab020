"""OpenAI's paths: what the tasks answer, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from uml_core.errors import BadRequestError, ConflictError, ModelNotFoundError, TaskNotSupportedError
from uml_core.server.attendance import Attendance
from uml_core.server.catalog import Catalog, Entry
from uml_core.server.errors import invalid_body
from uml_core.server.exchange import Exchange
from uml_core.server.json import json_response, parsed
from uml_core.server.loaded import status_of
from uml_core.server.pace import Pace
from uml_core.server.performance import Performance
from uml_core.server.relay import relay
from uml_core.settings import ServerSettings
from uml_core.types import LoadRequest, Task

if TYPE_CHECKING:
    from uml_core.supervisor import Active, Supervisor


class TaskEndpoint:
    """One path: picks the task, validates the body once, borrows the worker, and relays. An ASGI app."""

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        supervisor: Supervisor,
        catalog: Catalog,
        performance: Performance,
        settings: ServerSettings,
        pace: Pace,
    ) -> None:
        self._tasks = sorted(tasks, key=lambda task: task.claims is None)  # the default comes last
        self._supervisor = supervisor
        self._catalog = catalog
        self._performance = performance
        self._settings = settings
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the exchange has it
        exchange = Exchange.of(scope)
        body = parsed((await receive())["body"])
        task = self._pick(body)
        request = _validated(task.request, body)
        async with Attendance(exchange, receive, pace=self._pace) as attendance:
            load = LoadRequest(model=await self._model(body))
            async with self._supervisor.lease(load, task.name, wait_s=self._settings.load_wait_s) as worker:
                exchange.model, exchange.generation = worker.model_id, worker.generation
                asked_s = monotonic()
                response = await task.handle(request, worker)
                try:
                    await relay(response, attendance, worker, wants_usage=_wants_usage(body))
                finally:
                    await response.aclose()
                self._record(exchange, worker.generation, asked_s)

    def _pick(self, body: Mapping[str, Any]) -> Task:
        for task in self._tasks:
            if task.claims is None or task.claims(body):
                return task
        raise TaskNotSupportedError(f"no task at '{self._tasks[0].path}' takes a body like this one")

    async def _model(self, body: Mapping[str, Any]) -> str:
        """The id of the model that answers; what is loaded when the request names none."""
        asked, active = body.get("model"), self._supervisor.active()
        if asked is None or asked == "":
            if active is None:
                raise BadRequestError(
                    "'model' is missing, and none is loaded; `GET /v1/models` lists them", param="model"
                )
            return active.plan.model_id
        if not isinstance(asked, str):
            raise BadRequestError("'model' must be a text", param="model")
        if active is not None and active.plan.model_id == asked:
            return asked
        return self._loadable(await self._catalog.id_of(asked), active)

    def _loadable(self, model: str, active: Active | None) -> str:
        if not self._settings.autoload and (active is None or active.plan.model_id != model):
            raise ConflictError(
                f"model '{model}' is not loaded, and requests may not load it (`autoload` is off in [server] of "
                f"uml.toml); load it with `uml load {model}`",
                code="model_not_loaded",
                param="model",
            )
        return model

    def _record(self, exchange: Exchange, generation: int, asked_s: float) -> None:
        first_s = exchange.first_s
        self._performance.record(
            generation,
            tokens=exchange.usage.completion_tokens,
            first_token_s=None if first_s is None else first_s - asked_s,
            decoding_s=monotonic() - (asked_s if first_s is None else first_s),
        )


def _validated(kind: type[BaseModel], body: Mapping[str, Any]) -> BaseModel:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise invalid_body(error.errors(include_url=False, include_context=False, include_input=False)) from None


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def models_router(catalog: Catalog, supervisor: Supervisor) -> APIRouter:
    """``/v1/models``: what can be loaded, as OpenAI lists it."""
    router = APIRouter(tags=["openai"])

    @router.get("/v1/models")
    async def list_models() -> Response:
        """List the models that can be used."""
        active = supervisor.active()
        data = [_model_object(entry, active) for entry in await catalog.entries() if entry.is_model]
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
