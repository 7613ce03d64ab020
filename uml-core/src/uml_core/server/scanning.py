"""``POST /models/scan``: a job that outlives who asked for it."""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import APIRouter, Request, Response

from uml_core.server.attendance import Attendance
from uml_core.server.errors import response_of
from uml_core.server.exchange import Exchange
from uml_core.server.idempotency import Idempotency, key_in
from uml_core.server.json import json_response
from uml_core.server.loading import Order
from uml_core.server.pace import Pace
from uml_core.server.scan_job import ScanJob, scan_view
from uml_core.server.scans import Scans

BODY = b"scan"
"""All scans are alike."""


class ScanRequest(Order):
    """The body of ``POST /models/scan``; may be empty."""


def scanning_router(scans: Scans, *, idempotency: Idempotency, pace: Pace) -> APIRouter:
    """Begin a scan; it is followed and cancelled as every job is."""
    router = APIRouter(tags=["management"])

    async def submit() -> ScanJob:
        return scans.begin("a scan was asked for")

    @router.post("/models/scan", status_code=202)
    async def scan(request: Request, asked: ScanRequest | None = None) -> Response:
        """Look at all models of this machine, and read those that are new or have changed.

        Answers at once with the job, or with `wait` when it has ended; `GET /jobs/{id}/events` tells how far it is. A
        scan that is under way is joined, and leaving before the end doesn't stop it.
        """
        asked = asked or ScanRequest()
        key = key_in(request.scope["headers"])
        async with Attendance(Exchange.of(request.scope), request.receive, pace=pace):
            job = await idempotency.job(key, BODY, submit)
            if asked.wait:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(asked.timeout_s):
                        await job.over.wait()
        return _answer(job)

    return router


def _answer(job: ScanJob) -> Response:
    """What is told of a scan: 200 when it has ended well, 202 while it goes on, else why not."""
    if job.cause is not None:
        status, headers, body = response_of(job.cause, job=scan_view(job))
        refusal = Response(body, status)
        refusal.raw_headers = headers
        return refusal
    response = json_response(scan_view(job))
    if not job.ended:
        response.status_code = 202
        response.headers["location"] = f"/jobs/{job.id}"
    return response
