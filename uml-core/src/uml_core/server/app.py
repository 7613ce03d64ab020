"""The FastAPI application, made from its collaborators; nothing here is global."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from uml_core.plugins import Plugins
from uml_core.server.attempts import Attempts
from uml_core.server.catalog import Catalog
from uml_core.server.choice import ModelChoice
from uml_core.server.endpoint import TaskEndpoint
from uml_core.server.events import PATHS, EventsEndpoint
from uml_core.server.framework import UMLApp, by_path
from uml_core.server.front import Front
from uml_core.server.idempotency import Idempotency
from uml_core.server.in_flight import InFlight
from uml_core.server.inventory import Inventory
from uml_core.server.jobs import jobs_router
from uml_core.server.journal import Journal
from uml_core.server.loading import loading_router
from uml_core.server.management import management_router
from uml_core.server.models import inventory_router
from uml_core.server.openai import models_router
from uml_core.server.pace import Pace
from uml_core.server.performance import Performance
from uml_core.server.plan import plan_router
from uml_core.server.profiles import profiles_router
from uml_core.server.scanning import scanning_router
from uml_core.server.scans import Scans
from uml_core.server.security import Security
from uml_core.server.work import Work
from uml_core.settings import Settings
from uml_core.types import Task

if TYPE_CHECKING:
    from uml_core.registry import Registry
    from uml_core.storage import Storage
    from uml_core.supervisor import Supervisor


def create_app(
    settings: Settings,
    plugins: Plugins,
    registry: Registry,
    supervisor: Supervisor,
    *,
    storage: Storage | None = None,
    scans: Scans | None = None,
    in_flight: InFlight | None = None,
    pace: Pace | None = None,
    performance: Performance | None = None,
) -> FastAPI:
    """Build the HTTP face.

    :param storage: where a row for each request is kept; none are when absent
    :param scans: the scans of *registry*, for who ends them; they end by themselves when absent
    :param in_flight: where the requests that are under way are counted, for who shuts the server down
    :param pace: the waiting times, if they are to differ from the usual ones
    :param performance: where it is noted how fast the loaded model answers, for who wants to keep that
    """
    in_flight = InFlight() if in_flight is None else in_flight
    pace = pace or Pace(stall_s=settings.server.stall_s)
    scans, performance = scans or Scans(registry, supervisor.events), performance or Performance()
    catalog = Catalog(registry, on_pending=scans.begin_if_due, read_s=pace.listing_s)
    scans.on_end = catalog.forget
    inventory, idempotency = Inventory(registry, plugins, settings), Idempotency()
    choice = ModelChoice(supervisor=supervisor, catalog=catalog, autoload=settings.server.autoload)
    attempts = Attempts(supervisor=supervisor, performance=performance, wait_s=settings.server.load_wait_s)
    journal, limit_s = Journal(storage, registry.records), settings.server.request_limit_s

    def endpoint_of(tasks: Sequence[Task]) -> TaskEndpoint:
        return TaskEndpoint(tasks, choice=choice, attempts=attempts, journal=journal, pace=pace, limit_s=limit_s)

    endpoints = {path: endpoint_of(tasks) for path, tasks in by_path(plugins.tasks())}
    app = UMLApp(plugins.tasks(), streams=PATHS)
    secured = Security(TaskPaths(app.inside, endpoints), settings=settings.server, pace=pace)
    app.face = Front(secured, in_flight=in_flight, last_words_s=pace.stall_s)
    for path, endpoint in endpoints.items():
        app.router.routes.append(Route(path, endpoint, methods=["POST"], name=path))
    work = Work(supervisor, scans)
    events = EventsEndpoint(work=work, supervisor=supervisor, in_flight=in_flight, pace=pace)
    for path in PATHS:
        app.router.routes.append(Route(path, events, methods=["GET"], name=path))
    app.include_router(models_router(catalog, supervisor))
    app.include_router(scanning_router(scans, idempotency=idempotency, pace=pace))
    app.include_router(inventory_router(inventory=inventory, catalog=catalog, supervisor=supervisor))
    app.include_router(profiles_router(inventory=inventory, catalog=catalog, supervisor=supervisor))
    app.include_router(plan_router(inventory=inventory, catalog=catalog, supervisor=supervisor))
    app.include_router(loading_router(supervisor=supervisor, catalog=catalog, idempotency=idempotency, pace=pace))
    app.include_router(jobs_router(work=work, supervisor=supervisor, queue_limit=settings.supervisor.queue_limit))
    app.include_router(
        management_router(
            plugins=plugins,
            settings=settings,
            supervisor=supervisor,
            performance=performance,
            in_flight=in_flight,
            storage=storage,
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
