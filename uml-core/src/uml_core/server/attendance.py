"""What goes on beside an answer that is being awaited: the client may leave, and a silent stream is kept open."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from uml_core.server.exchange import ClientGone, Exchange
from uml_core.server.pace import Pace

PING = b": ping\n\n"


class Attendance:
    """Watches one exchange from a task of its own, for as long as the context lasts."""

    def __init__(self, exchange: Exchange, receive: Receive, *, pace: Pace) -> None:
        self.exchange = exchange
        self._receive = receive
        self._pace = pace
        self._wake_s: float | None = None
        self._limit: asyncio.Timeout | None = None

    async def __aenter__(self) -> Self:
        self._task = self.exchange.loop.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()

    def stream_is_due(self) -> None:
        """From now on the client is kept waiting for a stream that has not begun."""
        self._wake_s = self.exchange.loop.time() + self._pace.hold_s
        if self._limit is not None:
            self._limit.reschedule(self._wake_s)

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout_at(self._wake_s) as self._limit:
                    message = await self._receive()
            except TimeoutError:
                self._limit = None
                await self._keep_open()
            else:
                if message["type"] == "http.disconnect":
                    return self.exchange.interrupt(ClientGone())

    async def _keep_open(self) -> None:
        """Send the head that is due, or a comment if nothing else was sent for long.

        Only whole frames are ever written, so that a comment from this side can't fall into one.
        """
        exchange = self.exchange
        if exchange.status is None:
            await exchange.begin_stream()
            exchange.sent_s = exchange.loop.time()
        elif exchange.sent_s + self._pace.ping_s <= exchange.loop.time() and not exchange.writing:
            await exchange.write(PING)
        self._wake_s = exchange.sent_s + self._pace.ping_s
