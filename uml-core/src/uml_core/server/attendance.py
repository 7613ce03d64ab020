"""What goes on beside an answer that is being awaited: the client may leave, and a silent stream is kept open."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import TracebackType
from typing import Self

from starlette.types import Receive

from uml_core.server.exchange import ClientGone, Exchange
from uml_core.server.pace import Pace

SLACK_S = 0.002
"""What the loop's timers may be early by."""

PING = b": ping\n\n"


class Attendance:
    """Watches one exchange from tasks of its own, for as long as the context lasts."""

    def __init__(self, exchange: Exchange, receive: Receive, *, pace: Pace) -> None:
        self.exchange = exchange
        self._receive = receive
        self._pace = pace
        self._timer: asyncio.TimerHandle | None = None
        self._errand: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watch = self.exchange.loop.create_task(self._await_leaving())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._errand is not None:
            self._errand.cancel()

    async def _await_leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.exchange.interrupt(ClientGone())

    def stream_is_due(self) -> None:
        """From now on the client waits for a stream that has not begun."""
        self._timer = self.exchange.loop.call_later(self._pace.hold_s, self._tick)

    def _tick(self) -> None:
        self._errand = self.exchange.loop.create_task(self._keep_open())  # sending may have to wait

    async def _keep_open(self) -> None:
        """Send the head that is due, or a comment if nothing else was sent for long.

        Only whole frames are ever written, so that a comment from this side can't fall into one.
        """
        exchange = self.exchange
        if exchange.status is None:
            await exchange.begin_stream()
        elif exchange.sent_s + self._pace.ping_s <= monotonic() + SLACK_S and not exchange.writing:
            await exchange.write(PING)
        # held back by a slow client, a stream is not silent: look again after the usual time
        silent_s = 0.0 if exchange.writing else monotonic() - exchange.sent_s
        self._timer = exchange.loop.call_later(max(self._pace.ping_s - silent_s, SLACK_S), self._tick)
