"""The FastAPI application, made from its collaborators; nothing here is global."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from uml_core.plugins import Plugins
from uml_core.server.catalog import Catalog, Models
from uml_core.server.framework import UMLApp, by_path
from uml_core.server.front import Front
from uml_core.server.in_flight import InFlight
from uml_core.server.management import management_router
from uml_core.server.openai import TaskEndpoint, models_router
from uml_core.server.pace import Pace
from uml_core.server.performance import Performance
from uml_core.server.security import Security
from uml_core.settings import Settings

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor


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
    endpoints = {
        path: TaskEndpoint(
            tasks,
            supervisor=supervisor,
            catalog=catalog,
            performance=performance,
            settings=settings.server,
            pace=pace,
        )
        for path, tasks in by_path(plugins.tasks())
    }
    app = UMLApp(plugins.tasks())
    app.face = Front(
        Security(TaskPaths(app.inside, endpoints), settings=settings.server, pace=pace), in_flight=in_flight
    )
    for path, endpoint in endpoints.items():
        app.router.routes.append(Route(path, endpoint, methods=["POST"], name=path))
    app.include_router(models_router(catalog, supervisor))
    app.include_router(
        management_router(
            plugins=plugins, supervisor=supervisor, catalog=catalog, performance=performance, in_flight=in_flight
        )
    )
    return app


class TaskPaths:
    """Takes the requests that have to be fast past everything that they don't need."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._endpoints.get(scope["path"]) if scope["method"] == "POST" else None
        await (app or self._app)(scope, receive, send)
