"""Whose turn it is: the queue of answers, and the rounds in which the engine's thread serves those under way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from uml_core.worker.answering import Answering, told
from uml_core.worker.generation import Generation


class Rounds:
    """First come, first served: as many at once as a batch engine says (``parallel``), else one after the other.

    ``run`` belongs to the engine's thread. In each round every answer goes on until it waits, has ended, or its reader
    is behind: a slow reader holds up nobody but itself. Then the engine makes one ``step()`` for those that wait.
    """

    def __init__(self, *, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._waiting: deque[Answering] = deque()
        self._running: list[Answering] = []
        self._most = 1
        self._stopping = False
        self._changed = threading.Condition()

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def add(self, answers: Iterable[Answering]) -> None:
        """Put answers at the end of the queue."""
        with self._changed:
            self._waiting.extend(answers)
            self._changed.notify()

    def remove(self, generation: Generation) -> None:
        """Take what waits of a cancelled request out of the queue; what is under way ends in the next round."""
        with self._changed:
            self._waiting = deque(answer for answer in self._waiting if answer.generation is not generation)
            self._changed.notify()

    def look(self) -> None:
        """Look again whether an answer can go on."""
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        """Begin no further round."""
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify()

    def run(self, engine: Any) -> None:
        """Serve until ``stop``."""
        step: Callable[[], None] | None = getattr(engine, "step", None)
        self._most = engine.parallel if step else 1
        while self._admit():
            self._advance()
            self._step(step)
            self._running = [answer for answer in self._running if not answer.ended]
        for answer in self._running:
            answer.close()

    def _advance(self) -> None:
        for answer in self._running:
            if not answer.stuck:
                answer.advance()

    def _admit(self) -> bool:
        """Wait until there is something to do, and let those begin that there is room for; False at the end."""
        with self._changed:
            self._changed.wait_for(self._can_move)
            while self._waiting and len(self._running) < self._most:
                self._running.append(self._waiting.popleft())
            return not self._stopping

    def _can_move(self) -> bool:
        begins = bool(self._waiting) and len(self._running) < self._most
        return self._stopping or begins or not all(answer.stuck for answer in self._running)

    def _step(self, step: Callable[[], None] | None) -> None:
        """Compute once for all that wait; an exception of it is theirs, and the engine goes on."""
        waiting = [answer for answer in self._running if answer.waits]
        for answer in waiting:
            answer.waits = False  # one that isn't pulled in the next round has nothing new to be computed
        if not waiting or step is None:
            return
        try:
            step()
        except Exception as error:  # noqa: BLE001 - told to each of them, and to the log
            failure = told(error)
            for answer in waiting:
                answer.fail(failure)
        self._tick()
