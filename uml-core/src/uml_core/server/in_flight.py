"""The requests that are under way, and how they end when the server does."""

from __future__ import annotations

import asyncio

from uml_core.errors import ShuttingDownError
from uml_core.server.exchange import Exchange, Over


class InFlight:
    """The requests that are under way, and whether more are taken.

    Listeners are requests too, but their answers have no end: nobody waits for it.
    """

    def __init__(self) -> None:
        self.draining = False
        self._exchanges: set[Exchange] = set()
        self._listeners: set[Exchange] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        """How many requests are being answered, listeners not among them."""
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        """Count *exchange* from now on."""
        self._exchanges.add(exchange)
        self._empty.clear()

    def listens(self, exchange: Exchange) -> None:
        """Count *exchange* as a listener from now on."""
        self._exchanges.discard(exchange)
        self._listeners.add(exchange)
        self._tell()

    def discard(self, exchange: Exchange) -> None:
        """Count it no more."""
        self._exchanges.discard(exchange)
        self._listeners.discard(exchange)
        self._tell()

    def _tell(self) -> None:
        if not self._exchanges:
            self._empty.set()

    def check_open(self, method: str) -> None:
        """Refuse new work while draining; looking is still allowed."""
        if self.draining and method not in {"GET", "HEAD", "OPTIONS"}:
            raise ShuttingDownError

    async def drain(self, timeout_s: float, *, last_words_s: float = 2.0, abort_s: float = 1.0) -> None:
        """Take no more, let what runs end within *timeout_s*, then tell the rest that the server goes down.

        When it returns, listeners have had the end of their streams, and who takes nothing is cut off.

        :param last_words_s: how long a client may take to hear it
        :param abort_s: how long a request may take to end once its connection is gone
        """
        self.draining = True
        await self._is_empty_within(timeout_s)
        self.interrupt()
        if not await self._is_over_within(last_words_s):
            for exchange in [*self._exchanges, *self._listeners]:
                exchange.abort()
            await self._is_over_within(abort_s)

    async def _is_empty_within(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _is_over_within(self, timeout_s: float) -> bool:
        """Whether the listeners have gone too, also those that come meanwhile; polled, for it is asked once."""
        until_s = asyncio.get_running_loop().time() + timeout_s
        while self._exchanges or self._listeners:
            for listener in list(self._listeners):
                listener.interrupt(Over())
            if asyncio.get_running_loop().time() >= until_s:
                return False
            await asyncio.sleep(0.01)
        return True

    def interrupt(self) -> None:
        """End every request now."""
        for exchange in list(self._exchanges):
            exchange.interrupt(ShuttingDownError())
