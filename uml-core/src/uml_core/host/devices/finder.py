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
KNOWN_S = 600.0
"""So old may be which devices there are, and how large they are."""
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
        self._begun_s = self._seen_s = float("-inf")
        self._forgotten_s = float("-inf")
        self._failed: dict[str, tuple[float, Answer]] = {}
        self._order = cuda_order.Order()

    def find(self, *, fresh_s: float | None = None) -> Found:
        """Look, unless that was done a moment ago; where there is no sign of a device it costs nothing.

        :param fresh_s: an answer of so many seconds will do, whatever was given back since
        """
        with self._lock:
            wanted = self._sources()
            if not wanted:
                return Found()
            if not self._is_fresh(fresh_s):
                begun_s = time.monotonic()
                self._found = merged(self._answers(wanted))
                self._begun_s, self._seen_s = begun_s, time.monotonic()
            return self._found

    def _is_fresh(self, fresh_s: float | None) -> bool:
        if fresh_s is None and self._begun_s <= self._forgotten_s:
            return False
        return time.monotonic() < self._seen_s + (self._fresh_s if fresh_s is None else fresh_s)

    def forget(self) -> None:
        """Look again the next time, for somebody has just taken memory, or given it back; waits for nobody."""
        self._forgotten_s = time.monotonic()

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


def known_devices() -> Found:
    """The same as they were at most 10 minutes ago: what is free on them and who holds the rest is out of date."""
    return _finder.find(fresh_s=KNOWN_S)


def forget_devices() -> None:
    """Look again the next time; to be called when a process has taken memory of a device, or has ended."""
    _finder.forget()
