"""The requests that are under way, and how they end when the server does."""

from __future__ import annotations

import asyncio

from uml_core.errors import ShuttingDownError
from uml_core.server.exchange import Exchange

INTERRUPT_S = 5.0
"""How long an interrupted request may take to say its last words: a client that reads nothing can't have them."""


class InFlight:
    """The requests that are under way, and whether more are taken."""

    def __init__(self) -> None:
        self.draining = False
        self._exchanges: set[Exchange] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        """Count *exchange* from now on."""
        self._exchanges.add(exchange)
        self._empty.clear()

    def discard(self, exchange: Exchange) -> None:
        """Count it no more."""
        self._exchanges.discard(exchange)
        if not self._exchanges:
            self._empty.set()

    def check_open(self, method: str) -> None:
        """Refuse new work while draining; looking is still allowed."""
        if self.draining and method not in {"GET", "HEAD", "OPTIONS"}:
            raise going_down()

    async def drain(self, timeout_s: float) -> None:
        """Take no more, let what runs end within *timeout_s*, then tell the rest that the server goes down."""
        self.draining = True
        if not await self._is_empty_within(timeout_s):
            self.interrupt()
            await self._is_empty_within(INTERRUPT_S)

    async def _is_empty_within(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def interrupt(self) -> None:
        """End every request now."""
        for exchange in list(self._exchanges):
            exchange.interrupt(going_down())


def going_down() -> ShuttingDownError:
    return ShuttingDownError("the server is going down; ask again when it is back", retry_after_s=5)
