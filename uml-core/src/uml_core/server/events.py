"""What happens, as server-sent events: all of it, or all of one job."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from math import inf
from typing import TYPE_CHECKING, Any

from attrs import evolve
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from uml_core.server.attendance import Attendance
from uml_core.server.exchange import Exchange
from uml_core.server.in_flight import InFlight
from uml_core.server.pace import Pace
from uml_core.server.work import Work

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

PATHS = {
    "/events": "Tell what happens, as server-sent events, for ever",
    "/jobs/{job_id}/events": "Tell what happens to one job, as server-sent events, until it has ended",
}


class EventsEndpoint:
    """An ASGI app for both paths.

    A reader that is slow slows nobody: what it can't take is kept for a while, then lost, and an event ``lagged`` tells
    it how many were.
    """

    def __init__(self, *, work: Work, supervisor: Supervisor, in_flight: InFlight, pace: Pace) -> None:
        self._work = work
        self._supervisor = supervisor
        self._in_flight = in_flight
        self._pace = evolve(pace, hold_s=0.0, stall_s=inf)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the exchange has it
        exchange = Exchange.of(scope)
        after, job_id = last_id_in(scope["headers"]), scope["path_params"].get("job_id")
        if job_id is not None:
            self._work.kind(job_id)  # the last moment for a real 404
        self._in_flight.listens(exchange)
        await exchange.begin_stream()
        if scope["method"] == "GET":
            frames = self._all(after) if job_id is None else self._of_job(job_id, after)
            async with Attendance(exchange, receive, pace=self._pace) as attendance, aclosing(frames):
                attendance.stream_is_due()
                async for frame in frames:
                    await exchange.write(frame)
        await exchange.write(b"", last=True)

    async def _all(self, after: int | None) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._supervisor.events.subscribe(after)) as events:
            async for event in events:
                yield framed(event.kind, event.data, event_id=event.id)

    async def _of_job(self, job_id: str, after: int | None) -> AsyncGenerator[bytes, None]:
        """Where it stands, then what happens to it; who has heard of it before goes on from there.

        Where something was lost, or its end was told before, where it stands is told again.
        """
        kind = self._work.kind(job_id)
        async with aclosing(self._supervisor.events.subscribe(after)) as events:
            job = self._work.view(job_id)
            if after is None or job["finished"]:
                yield framed(kind, job)
            if job["finished"]:
                return
            async for event in events:
                if event.kind == kind and event.data["id"] == job_id:
                    yield framed(kind, event.data, event_id=event.id)
                    if event.data["finished"] is not None:
                        return
                elif event.kind == "lagged":
                    yield framed("lagged", event.data, event_id=event.id)
                    job = self._work.view(job_id)
                    yield framed(kind, job)
                    if job["finished"]:
                        return


def framed(kind: str, data: Mapping[str, Any], *, event_id: int | None = None) -> bytes:
    """One event as it is sent; one without an id doesn't change where a reader will go on."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%bevent: %b\ndata: %b\n\n" % (head, kind.encode(), to_json(data))


def last_id_in(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The value of ``Last-Event-ID``, if it is one that could have come from here."""
    said = next((value for name, value in headers if name == b"last-event-id"), b"")
    return int(said) if said.isdigit() and len(said) < 19 else None
