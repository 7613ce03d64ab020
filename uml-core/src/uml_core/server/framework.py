"""FastAPI as it is used here: our layers around it, its refusals in our shape, the tasks in its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from uml_core import __version__
from uml_core.errors import BadRequestError, MethodNotAllowedError, NotFoundError, UMLError
from uml_core.server.errors import invalid_body, response_of
from uml_core.server.exchange import Exchange
from uml_core.server.front import unexpected
from uml_core.types import Task

_PARAMETER = re.compile(r"\{(\w+)\}")
NO_TELEMETRY: dict[str, Any] = {
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
}
"""Newer FastAPIs report to OpenTelemetry if the environment says so; older ones ignore the argument."""


class UMLApp(FastAPI):
    """FastAPI behind our own layers, which so are outside of its own, and with the tasks' paths in its schema."""

    face: ASGIApp

    def __init__(self, tasks: Sequence[Task], *, streams: Mapping[str, str]) -> None:
        """Begin with no path.

        :param streams: what each path of server-sent events tells, for the schema
        """
        super().__init__(title="UML", version=__version__, docs_url=None, redoc_url=None, **NO_TELEMETRY)
        self._tasks = tasks
        self._streams = streams
        self.add_exception_handler(HTTPException, _on_http_exception)
        self.add_exception_handler(RequestValidationError, _on_invalid_body)
        self.add_exception_handler(UMLError, _on_error)
        self.add_exception_handler(Exception, _on_unexpected)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request."""
        await self.face(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on with FastAPI's own layers and routes."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The schema of ``/openapi.json``."""
        if self.openapi_schema is None:
            schema = get_openapi(title=self.title, version=self.version, routes=self.routes)
            self._describe_tasks(schema)
            for path, summary in self._streams.items():
                schema["paths"][path] = {"get": _stream(path, summary)}
            self.openapi_schema = schema
        return self.openapi_schema

    def _describe_tasks(self, schema: dict[str, Any]) -> None:
        requests = [(task.request, "validation") for task in self._tasks]
        names, definitions = models_json_schema(requests, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components.update(definitions.get("$defs", {}))
        for path, tasks in by_path(self._tasks):
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


def _stream(path: str, summary: str) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]
    answer = {"description": "server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {"tags": ["management"], "summary": summary, "parameters": parameters, "responses": {"200": answer}}


def by_path(tasks: Sequence[Task]) -> list[tuple[str, list[Task]]]:
    """The tasks of each path."""
    ordered = sorted(tasks, key=lambda task: task.path)
    return [(path, list(group)) for path, group in groupby(ordered, key=lambda task: task.path)]


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, UMLError)
    return _rendered(error)


async def _on_unexpected(request: Request, _: Exception) -> Response:
    return _rendered(unexpected(Exchange.of(request.scope)))  # it is raised again, and our own layer logs it


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
