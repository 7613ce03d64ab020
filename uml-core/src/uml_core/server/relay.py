"""From the worker to the client: bytes, as they are and as they come."""

from __future__ import annotations

from time import monotonic

from uml_core.server.attendance import Attendance
from uml_core.server.exchange import Exchange
from uml_core.server.failure import error_of
from uml_core.server.frames import renamed_body
from uml_core.server.question import Question
from uml_core.server.stream import EventStream
from uml_core.server.usage import Usage
from uml_core.supervisor.client import WorkerClient
from uml_core.types import WorkerResponse


async def relay(response: WorkerResponse, attendance: Attendance, worker: WorkerClient, question: Question) -> None:
    """Pass an answer on; returns when the client has all of it.

    :raises UMLError: the engine refused, failed, or fell silent; whether the answer has begun by then or not, the
        caller tells the client
    """
    if response.status >= 400:
        raise error_of(await response.read(), status=response.status, codes=worker.error_codes)
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        attendance.stream_is_due()
        await _relay_stream(response, attendance.exchange, worker, question)
    else:
        await _relay_body(response, attendance.exchange, worker)


async def _relay_stream(response: WorkerResponse, exchange: Exchange, worker: WorkerClient, question: Question) -> None:
    events = EventStream(
        error_codes=worker.error_codes,
        wants_usage=question.wants_usage,
        needs_reason=question.task.finish_reason,
        model=worker.model_id if worker.rewrites_frames else None,
    )
    async for data in response:
        block = events.take(data)
        if block:
            if exchange.first_s is None:
                await exchange.begin_stream()
                if b"data:" in block:  # comments are no answer yet
                    exchange.first_s = monotonic()
            await exchange.write(block, last=events.finished)
        if events.finished or events.error:
            break
    events.end()
    exchange.usage = events.usage
    if events.error:
        raise events.error


async def _relay_body(response: WorkerResponse, exchange: Exchange, worker: WorkerClient) -> None:
    body = await response.read()
    exchange.usage = Usage.of(body)
    if worker.rewrites_frames:
        body = renamed_body(body, worker.model_id)
    kind = response.headers.get("content-type", "application/json").encode("latin-1")
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    if exchange.generation is not None:
        headers.append((b"x-uml-generation", b"%d" % exchange.generation))
    await exchange.answer(response.status, headers, body)
