"""A number that only rises, and that one can wait for: faults are timed by it and not by a clock."""

from __future__ import annotations

import asyncio


class Counter:
    """Counts up; whoever waits for a number wakes in the step that reaches it."""

    def __init__(self) -> None:
        self.value = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def add(self, count: int = 1) -> None:
        self.value += count
        for number, reached in self._waiting:
            if self.value >= number and not reached.done():
                reached.set_result(None)
        self._waiting = [(number, reached) for number, reached in self._waiting if not reached.done()]

    async def reach(self, number: int, *, limit_s: float) -> bool:
        """Wait until there are *number*; False when that takes longer than *limit_s*."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, reached))
        self.add(0)
        try:
            await asyncio.wait_for(reached, limit_s)
        except TimeoutError:
            return False
        return True
