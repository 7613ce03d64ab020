"""One answer on its way from the engine's thread to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

from uml_core.errors import InternalServerError, UMLError
from uml_core.worker.delta import Piece
from uml_core.worker.requests import GenerationRequest
from uml_core.worker.transcript import Finish, Transcript

AHEAD = 32
"""How many texts the engine may be ahead of the sender, who has as many again in hand."""

Answer: TypeAlias = Callable[[GenerationRequest], Iterable[Piece]]
Item: TypeAlias = str | Finish | UMLError


class Abandoned(Exception):
    """Nobody waits for this answer any more."""


class Generation:
    """A bounded queue of text with an end, filled by the engine's thread and emptied by the event loop.

    ``run`` belongs to the engine's thread, ``take`` and ``cancel`` to the loop. A call into the loop is made only when
    none is under way, so a fast engine costs the loop one call for many texts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, tick: Callable[[], None]) -> None:
        self._loop = loop
        self._tick = tick
        self._items: deque[Item] = deque()
        self._ready = asyncio.Event()
        self._waking = False
        self._room = threading.Event()
        self._cancelled: Exception | None = None

    def cancelled(self) -> bool:
        """Whether nobody waits any more; to ask is a sign of life."""
        self._tick()
        return self._cancelled is not None

    def run(self, answer: Answer, request: GenerationRequest) -> None:
        """Let the engine answer; it stops within one piece of a cancel. Its iterator is closed in this thread.

        :raises Exception: what the engine raised, after the client was told, if it is not a ``UMLError``
        """
        pieces: Iterable[Piece] = ()
        if self._cancelled is not None:
            return
        try:
            pieces = answer(request)
            self._pump(pieces, Transcript(request))
        except UMLError as error:
            self._put(error)
        except Exception as error:
            self._put(InternalServerError(f"the engine failed with {type(error).__name__}: {error}"))
            raise
        finally:
            if (close := getattr(pieces, "close", None)) is not None:
                close()

    async def take(self) -> list[Item]:
        """Wait for more, and give all that is there; the last item of an answer is its end or its error.

        :raises Abandoned: the answer was cancelled; or whatever ``cancel`` was given
        """
        await self._ready.wait()
        if self._cancelled is not None:
            raise self._cancelled
        self._ready.clear()
        self._waking = False  # before the queue is emptied: what comes later wakes the loop again
        items = [self._items.popleft() for _ in range(len(self._items))]
        self._room.set()
        return items

    def cancel(self, error: Exception | None = None) -> None:
        """Nobody waits any more. *error* is what ``take`` raises."""
        self._cancelled = self._cancelled or error or Abandoned()
        self._room.set()
        self._ready.set()

    def _pump(self, pieces: Iterable[Piece], transcript: Transcript) -> None:
        for piece in pieces:
            if self.cancelled():
                return
            if text := transcript.add(piece):
                self._put(text)
            if transcript.ended:
                break
        text, finish = transcript.finish()
        if text:
            self._put(text)
        self._put(finish)

    def _put(self, item: Item) -> None:
        self._items.append(item)
        if not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop is closed: the process is going down
                self._loop.call_soon_threadsafe(self._ready.set)
        if len(self._items) >= AHEAD:
            self._room.clear()
            if len(self._items) >= AHEAD and self._cancelled is None:
                self._room.wait()
