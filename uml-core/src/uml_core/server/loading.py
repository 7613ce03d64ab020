"""``POST /load_model`` and ``POST /unload_model``: each is a job that outlives who asked for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from uml_core.errors import InternalServerError, RequestCancelledError, UMLError
from uml_core.server.attendance import Attendance
from uml_core.server.catalog import Catalog
from uml_core.server.errors import response_of
from uml_core.server.exchange import Exchange
from uml_core.server.idempotency import Idempotency, Submit, key_in
from uml_core.server.json import json_response
from uml_core.server.pace import Pace
from uml_core.server.wish import Wished
from uml_core.supervisor.views import job_view
from uml_core.types import JobStatus, SwitchState

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

HOW_TO_WAIT = frozenset({"wait", "timeout_s"})


class Order(BaseModel):
    """What both bodies have in common: whether the answer comes with the job's end, or at once."""

    model_config = ConfigDict(extra="forbid")

    wait: bool = Field(default=False, description="answer when the job has ended; else at once, with 202 and the job")
    timeout_s: float | None = Field(
        default=None, gt=0, le=24 * 3600, description="with `wait`: answer with the job as it is after so many seconds"
    )


class LoadModelRequest(Wished, Order):
    """The body of ``POST /load_model``."""


class UnloadModelRequest(Order):
    """The body of ``POST /unload_model``."""

    wait: bool = Field(default=True, description="answer when the job has ended; else at once, with 202 and the job")


def loading_router(*, supervisor: Supervisor, catalog: Catalog, idempotency: Idempotency, pace: Pace) -> APIRouter:
    """Everything that changes what is loaded."""
    router = APIRouter(tags=["management"])
    orders = Orders(supervisor, idempotency=idempotency, pace=pace)

    @router.post("/load_model")
    async def load_model(asked: LoadModelRequest, request: Request) -> Response:
        """Load a model in place of what is loaded; leaving before the end doesn't stop it."""
        load = asked.to_load()

        async def submit() -> JobStatus:
            await catalog.id_of(load.model)  # an unknown name shall not wait for a load that is under way
            return await supervisor.submit(load)

        return await orders.take("load", asked, request, submit)

    @router.post("/unload_model")
    async def unload_model(request: Request, asked: UnloadModelRequest | None = None) -> Response:
        """Unload what is loaded, after the requests that it is answering."""
        return await orders.take("unload", asked or UnloadModelRequest(), request, supervisor.submit_unload)

    return router


class Orders:
    """Makes jobs of orders, and answers with what became of them."""

    def __init__(self, supervisor: Supervisor, *, idempotency: Idempotency, pace: Pace) -> None:
        self._supervisor = supervisor
        self._pace = pace
        self._idempotency = idempotency

    async def take(
        self, kind: Literal["load", "unload"], asked: Order, request: Request, submit: Submit[JobStatus]
    ) -> Response:
        """Submit, or find what was submitted under the same key; then wait, if that was asked for."""
        key = key_in(request.scope["headers"])
        body = kind.encode() + to_json(asked.model_dump(exclude=set(HOW_TO_WAIT)))
        async with Attendance(Exchange.of(request.scope), request.receive, pace=self._pace):
            job = await self._idempotency.job(key, body, submit)
            if asked.wait:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(asked.timeout_s):
                        await self._supervisor.wait(job.id)
        return answer_of(job if job.ended else self._supervisor.job(job.id))


def answer_of(job: JobStatus) -> Response:
    """What is told of a job: 200 when it has done what it was for, 202 while it may, else why not."""
    if job.ended and job.state is not SwitchState.COMMITTED:
        return _refusal(job)
    response = json_response(job_view(job))
    if not job.ended:
        response.status_code = 202
        response.headers["location"] = f"/jobs/{job.id}"
    return response


def _refusal(job: JobStatus) -> Response:
    status, headers, body = response_of(_cause(job), job=job)
    response = Response(body, status)
    response.raw_headers = headers
    return response


def _cause(job: JobStatus) -> UMLError:
    if job.cause is not None:
        return job.cause
    if job.state is SwitchState.CANCELLED:
        return RequestCancelledError(f"job '{job.id}' was cancelled")
    return InternalServerError(f"job '{job.id}' ended as {job.state}, and nobody knows why")
