"""Looks for devices, and remembers for a moment what it saw."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from uml_core.host.devices import cuda_order
from uml_core.host.devices.answer import Answer
from uml_core.host.devices.child import ask
from uml_core.host.devices.found import Found
from uml_core.host.devices.merge import merged
from uml_core.host.devices.sources import sources

FRESH_S = 2.0
"""So old may be what is free."""
PAUSE_S = 60.0
"""So long a source is left alone that did not answer; nobody shall wait for it at each plan."""


class Finder:
    """For many threads: those that ask at once share one look."""

    def __init__(
        self,
        *,
        sources: Callable[[], Sequence[str]] = sources,
        ask: Callable[..., list[Answer]] = ask,
        fresh_s: float = FRESH_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._sources, self._ask = sources, ask
        self._fresh_s, self._pause_s = fresh_s, pause_s
        self._lock = threading.Lock()
        self._found = Found()
        self._until_s = 0.0
        self._failed: dict[str, tuple[float, Answer]] = {}
        self._order = cuda_order.Order()

    def find(self) -> Found:
        """Look, unless that was done a moment ago; where there is no sign of a device it costs nothing."""
        with self._lock:
            wanted = self._sources()
            if not wanted:
                return Found()
            if time.monotonic() >= self._until_s:
                self._found = merged(self._answers(wanted))
                self._until_s = time.monotonic() + self._fresh_s
            return self._found

    def forget(self) -> None:
        """Look again the next time, for somebody has just given memory back."""
        with self._lock:
            self._until_s = 0.0

    def _answers(self, wanted: Iterable[str]) -> list[Answer]:
        now = time.monotonic()
        resting = {source: answer for source, (until_s, answer) in self._failed.items() if now < until_s}
        asked = [source for source in wanted if source not in resting]
        if not asked:
            return list(resting.values())
        answers = self._ask(asked, environment=self._order.environment())
        self._order.learn(answers)
        for answer in answers:
            if answer.problem:
                self._failed[answer.source] = (time.monotonic() + self._pause_s, answer)
        return [*answers, *resting.values()]


_finder = Finder()


def find_devices() -> Found:
    """The devices of this machine, as they were at most 2 seconds ago.

    Blocks while drivers are asked: 10 seconds at most, and then not again for a minute.
    """
    return _finder.find()


def forget_devices() -> None:
    """Look again the next time; to be called when a process that held memory of a device has ended."""
    _finder.forget()
