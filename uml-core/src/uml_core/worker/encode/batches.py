"""The texts that wait to be computed, of all requests, and which of them go into one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from uml_core.worker.encode.reader import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALIKE, _SHORT = 0.5, 64
"""A text comes along with one of over 64 tokens only if it has half of its length: what fills it up costs as much."""


class Work:
    """The texts of one request. ``results`` are in the order of *readings*, ``left`` counts those still missing."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = readings
        self.results: list[NDArray[np.float32] | None] = [None] * len(readings)
        self.left = len(readings)
        self._waiting = sorted(range(len(readings)), key=lambda at: len(readings[at]))

    @property
    def longest(self) -> int:
        """Tokens of the longest text that waits; 0 if none does."""
        return len(self.readings[self._waiting[-1]]) if self._waiting else 0

    def pop(self) -> int:
        """Take the longest one; gives its place."""
        return self._waiting.pop()

    def put(self, at: int, result: NDArray[np.float32]) -> None:
        """Take what came of a text."""
        self.results[at] = result
        self.left -= 1


class Batches:
    """Takes turns among requests, and puts texts of about one length together."""

    def __init__(self, tokens: int) -> None:
        """Hold nothing yet.

        :param tokens: the most tokens of a batch, with what fills it up; a longer text goes alone
        """
        self._tokens = tokens
        self._works: deque[Work] = deque()

    def add(self, work: Work) -> None:
        """Put a request at the end."""
        self._works.append(work)

    def drop(self, work: Work) -> None:
        """Forget a request, done or not."""
        self._works.remove(work)

    def next(self) -> list[tuple[Work, int]]:
        """Take the next batch: the longest of the request whose turn it is, and what others have of that length."""
        order = [work for work in self._works if work.longest]
        self._works.rotate(-1)
        return list(self._taken(order)) if order else []

    def _taken(self, order: Sequence[Work]) -> Iterator[tuple[Work, int]]:
        length = order[0].longest
        room = max(1, self._tokens // length)
        least = length * _ALIKE if length > _SHORT else 1
        for work in order:
            while room and least <= work.longest <= length:
                yield work, work.pop()
                room -= 1
