"""What goes on beside an answer that is being awaited: the client may leave, be too slow, or have set a limit."""

from __future__ import annotations

import asyncio
from math import inf
from time import monotonic
from types import TracebackType
from typing import Self

from starlette.types import Receive

from uml_core.errors import DeadlineExceededError
from uml_core.server.exchange import ClientGone, Exchange
from uml_core.server.pace import Pace

SLACK_S = 0.002
"""What the loop's timers may be early by."""

STALL_LOOKS = 3
"""How often a client is looked at before it is cut off."""

PING = b": ping\n\n"
SLOW_CONSUMER = "slow_consumer"


class Attendance:
    """Watches one exchange from tasks of its own, for as long as the context lasts."""

    def __init__(self, exchange: Exchange, receive: Receive, *, pace: Pace, limit_s: float = inf) -> None:
        """Begin with nothing due.

        :param limit_s: the longest that the exchange may take, from its begin
        """
        self.exchange = exchange
        self._receive = receive
        self._pace = pace
        self._limit_s = limit_s
        self._streams = False
        self._untaken: tuple[float, int] | None = None
        self._untaken_s = 0.0
        self._errand: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = self.exchange.loop
        self._watch = loop.create_task(self._await_leaving())
        self._timer = loop.call_later(min(self._limit_s, self._pace.stall_s), self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._timer.cancel()
        if self._errand is not None:
            self._errand.cancel()

    async def _await_leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.exchange.interrupt(ClientGone())

    def stream_is_due(self) -> None:
        """From now on the client waits for a stream that has not begun."""
        if not self._streams:
            self._streams = True
            self._arm(self._pace.hold_s)

    def _arm(self, wait_s: float) -> None:
        self._timer.cancel()
        left_s = self._limit_s + self.exchange.started_s - monotonic()
        self._timer = self.exchange.loop.call_later(max(min(wait_s, left_s), SLACK_S), self._tick)

    def _tick(self) -> None:
        exchange, now = self.exchange, monotonic()
        if now - exchange.started_s + SLACK_S >= self._limit_s:
            exchange.interrupt(_too_long(self._limit_s))
        elif self._is_stalled(now):
            exchange.abort()
            exchange.interrupt(ClientGone(SLOW_CONSUMER))
        else:
            due_s = self._keep_open(now) if self._streams and not exchange.writing else inf  # who holds it back waits
            self._arm(min(due_s, self._pace.ping_s, self._pace.stall_s / STALL_LOOKS))

    def _is_stalled(self, now: float) -> bool:
        """Whether the client has long taken nothing at all, though there is something for it."""
        exchange = self.exchange
        untaken = (exchange.sent_s, exchange.unsent_bytes) if exchange.writing else None
        if untaken is None or untaken != self._untaken:
            self._untaken, self._untaken_s = untaken, now
            return False
        return now - self._untaken_s + SLACK_S >= self._pace.stall_s

    def _keep_open(self, now: float) -> float:
        """See that the client hears something in time; how long it then is until the next look."""
        silent_s = now - self.exchange.sent_s
        if self.exchange.status is not None and silent_s + SLACK_S < self._pace.ping_s:
            return self._pace.ping_s - silent_s
        if self._errand is None or self._errand.done():
            self._errand = self.exchange.loop.create_task(self._say_something())  # sending may have to wait
        return self._pace.ping_s

    async def _say_something(self) -> None:
        """Send the head that is due, or a comment.

        Only whole frames are ever written, so that a comment from this side can't fall into one.
        """
        if self.exchange.status is None:
            await self.exchange.begin_stream()
        elif not self.exchange.writing:
            await self.exchange.write(PING)


def _too_long(limit_s: float) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the answer was not complete within {limit_s:g} s; ask for less (`max_tokens`), or allow more time with "
        "`X-Request-Timeout` and `request_limit_s` in [server] of uml.toml"
    )
