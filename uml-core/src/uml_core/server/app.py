"""The FastAPI application, made from its collaborators; nothing here is global."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import Route

from uml_core import __version__
from uml_core.errors import BadRequestError, MethodNotAllowedError, NotFoundError, UMLError
from uml_core.plugins import Plugins
from uml_core.server.catalog import Catalog, Models
from uml_core.server.errors import invalid_body, response_of
from uml_core.server.exchange import InFlight
from uml_core.server.front import Front
from uml_core.server.management import management_router
from uml_core.server.openai import TaskEndpoint, models_router
from uml_core.server.pace import Pace
from uml_core.server.performance import Performance
from uml_core.server.security import Security
from uml_core.settings import Settings
from uml_core.types import Task

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

NO_TELEMETRY: dict[str, Any] = {
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
}
"""Newer FastAPIs report to OpenTelemetry if the environment says so; older ones ignore the argument."""


def create_app(
    settings: Settings,
    plugins: Plugins,
    registry: Models,
    supervisor: Supervisor,
    *,
    in_flight: InFlight | None = None,
    pace: Pace | None = None,
) -> FastAPI:
    """Build the HTTP face.

    :param in_flight: where the requests that are under way are counted, for who shuts the server down
    :param pace: the waiting times, if they are to differ from the usual ones
    """
    in_flight = InFlight() if in_flight is None else in_flight
    pace = pace or Pace()
    catalog, performance = Catalog(registry), Performance()
    tasks = plugins.tasks()
    app = UMLApp(tasks, title="UML", version=__version__, docs_url=None, redoc_url=None, **NO_TELEMETRY)
    for path, group in _by_path(tasks):
        endpoint = TaskEndpoint(
            group,
            supervisor=supervisor,
            catalog=catalog,
            performance=performance,
            settings=settings.server,
            pace=pace,
        )
        app.router.routes.append(Route(path, endpoint, methods=["POST"], name=path))
    app.include_router(models_router(catalog, supervisor))
    app.include_router(
        management_router(
            plugins=plugins, supervisor=supervisor, catalog=catalog, performance=performance, in_flight=in_flight
        )
    )
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_body)
    app.add_middleware(Security, settings=settings.server, pace=pace)
    app.add_middleware(Front, in_flight=in_flight)  # added last, so it is the outermost
    return app


class UMLApp(FastAPI):
    """FastAPI with the tasks' paths in its schema; they are raw ASGI apps, which it doesn't describe by itself."""

    def __init__(self, tasks: Sequence[Task], **rest: Any) -> None:
        super().__init__(**rest)
        self._tasks = tasks

    def openapi(self) -> dict[str, Any]:
        """The schema of ``/openapi.json``."""
        if self.openapi_schema is None:
            schema = get_openapi(title=self.title, version=self.version, routes=self.routes)
            self._describe_tasks(schema)
            self.openapi_schema = schema
        return self.openapi_schema

    def _describe_tasks(self, schema: dict[str, Any]) -> None:
        requests = [(task.request, "validation") for task in self._tasks]
        names, definitions = models_json_schema(requests, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components.update(definitions.get("$defs", {}))
        for path, tasks in _by_path(self._tasks):
            bodies = [names[task.request, "validation"] for task in tasks]
            body = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
            schema["paths"][path] = {
                "post": {
                    "tags": ["openai"],
                    "summary": ", ".join(sorted({task.name for task in tasks})),
                    "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
                    "responses": {"200": {"description": "the answer, or a stream of server-sent events"}},
                }
            }


def _by_path(tasks: Sequence[Task]) -> list[tuple[str, list[Task]]]:
    ordered = sorted(tasks, key=lambda task: task.path)
    return [(path, list(group)) for path, group in groupby(ordered, key=lambda task: task.path)]


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """What routing and FastAPI itself refuse."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    if error.status_code == 404:
        return _rendered(NotFoundError(f"there is no '{path[:200]}' here; `GET /openapi.json` lists what there is"))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        refusal = MethodNotAllowedError(f"'{path[:200]}' doesn't take {request.method}, only {allowed}")
        return _rendered(refusal, Allow=allowed)
    return _rendered(BadRequestError(str(error.detail)))


async def _on_invalid_body(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        reason, place = first["ctx"]["error"], first["loc"][-1]
        return _rendered(
            BadRequestError(f"the body is not valid JSON: {reason} at character {place}", code="invalid_json")
        )
    problems = [{**problem, "loc": problem["loc"][1:]} for problem in error.errors()]
    return _rendered(invalid_body(problems))


def _rendered(error: UMLError, **headers: str) -> Response:
    status, raw, body = response_of(error)
    response = Response(body, status, headers)
    response.raw_headers = [*response.raw_headers, *(pair for pair in raw if pair[0] != b"content-length")]
    return response
