"""What one request's answers become on their way from the engine's thread to the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from uml_core.errors import UMLError
from uml_core.worker.delta import Delta, Whole
from uml_core.worker.transcript import Finish

AHEAD = 32
"""How many items the engine may be ahead of the sender, who has as many again in hand."""

Content: TypeAlias = str | Delta | Whole | Finish | UMLError
Item: TypeAlias = tuple[int, Content]
"""What is to be sent, and of which of the request's ``n`` answers."""

T = TypeVar("T")


def _nothing() -> None:
    pass


def _read_error(done: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more, so nobody is to be told on the log either."""
    if not done.cancelled():
        done.exception()


class Abandoned(Exception):
    """Nobody waits for this answer any more."""


class Generation:
    """A bounded queue of what is to be sent, filled by the engine's thread and emptied by the event loop.

    ``put``, ``fail``, ``behind`` and ``cancelled`` belong to the engine's thread, the rest to the loop. A call into the
    loop is made only when none is under way, so a fast engine costs the loop one call for many texts. *roomy* is called
    in the loop when a reader that was behind has caught up.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, tick: Callable[[], None], roomy: Callable[[], None] = _nothing
    ) -> None:
        self._loop = loop
        self._tick, self._roomy = tick, roomy
        self._items: deque[Item] = deque()
        self._ready = asyncio.Event()
        self._waking = False
        self._cancelled: Exception | None = None
        self._failed = False

    def cancelled(self) -> bool:
        """Whether nobody waits any more; to ask is a sign of life."""
        self._tick()
        return self._failed or self._cancelled is not None

    @property
    def abandoned(self) -> bool:
        """As ``cancelled()``, without a sign of life. One answer that has failed takes the request's others along."""
        return self._failed or self._cancelled is not None

    @property
    def behind(self) -> bool:
        """Whether the reader has enough for now. Nobody has to wait for one that is gone."""
        return len(self._items) >= AHEAD and not self.abandoned

    def fail(self, index: int, error: UMLError) -> None:
        """End the request with an error of answer *index*; its other answers are not wanted any more."""
        self._failed = True
        self.put(index, error)

    def put(self, index: int, content: Content) -> bool:
        """Give the next of answer *index*, and say whether the reader has enough for now."""
        self._items.append((index, content))
        if not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop is closed: the process is going down
                self._loop.call_soon_threadsafe(self._ready.set)
        return len(self._items) >= AHEAD

    async def take(self) -> list[Item]:
        """Wait for more, and give all that is there.

        :raises Abandoned: the answer was cancelled; or whatever ``cancel`` was given
        """
        await self._ready.wait()
        self.check()
        self._ready.clear()
        self._waking = False  # before the queue is emptied: what comes later wakes the loop again
        items = [self._items.popleft() for _ in range(len(self._items))]
        if len(items) >= AHEAD:
            self._roomy()
        return items

    async def during(self, work: Awaitable[T]) -> T:
        """Wait for *work*, but not after a cancel; to be used before anything is put.

        :raises Abandoned: the answer was cancelled; or whatever ``cancel`` was given
        """
        gone, working = asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(work)
        try:
            await asyncio.wait([gone, working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            working.add_done_callback(_read_error)
            working.cancel()  # what no thread has begun yet is done for nobody
        self.check()
        return await working

    def cancel(self, error: Exception | None = None) -> None:
        """Nobody waits any more. *error* is what ``take`` raises."""
        self._cancelled = self._cancelled or error or Abandoned()
        self._ready.set()

    def check(self) -> None:
        """Raise what ``cancel`` was given, if it was called."""
        if self._cancelled is not None:
            raise self._cancelled
