"""What happens, told to whoever listens: transitions, jobs, the queue, health."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

REMEMBERED = 512
"""Events kept for a listener that comes back, and the most that one may be behind."""


@frozen(kw_only=True)
class Event:
    """Something that happened. ``kind`` is ``worker``, ``job``, ``queue``, ``leak``, ``health`` or ``storage``.

    ``id`` rises by one. A listener that fell behind by more than is remembered gets ``lagged`` with the number missed.
    """

    id: int
    kind: str
    at: datetime
    data: Mapping[str, Any]


class Events:
    """Publishes to any number of listeners; none of them can hold up the publisher."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._recent: deque[Event] = deque(maxlen=REMEMBERED)
        self._changed = asyncio.Event()
        self._last = 0
        self._closed = False

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell everybody; returns at once."""
        self._last = next(self._numbers)
        self._recent.append(Event(id=self._last, kind=kind, at=datetime.now(UTC), data=data))
        self._wake()

    def close(self) -> None:
        """End every subscription once it has had what is there."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def subscribe(self, after: int | None = None) -> AsyncGenerator[Event, None]:
        """Give events as they come, from now on.

        :param after: the id of the last one that is known already; None begins with the next
        """
        return self._listen(self._last if after is None or after > self._last else after)

    async def _listen(self, seen: int) -> AsyncGenerator[Event, None]:
        while True:
            changed = self._changed
            for event in [event for event in self._recent if event.id > seen]:
                if event.id > seen + 1:
                    missed = {"missed": event.id - seen - 1}
                    yield Event(id=event.id - 1, kind="lagged", at=event.at, data=missed)
                seen = event.id
                yield event
            if seen < self._last:
                continue
            if self._closed:
                return
            await changed.wait()
