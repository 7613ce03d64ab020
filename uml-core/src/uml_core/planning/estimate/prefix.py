"""Sums over ranges of blocks, each in one subtraction: a planner asks hundreds of times."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


class Prefix:
    """The sums of *values* from the first on."""

    __slots__ = ("_sums",)

    def __init__(self, values: Iterable[float]) -> None:
        self._sums = [0, *accumulate(values)]

    def between(self, start: int, end: int) -> float:
        """The sum from *start* to before *end*; nothing if that is none, and what lies beyond the last is nothing."""
        last = len(self._sums) - 1
        return self._sums[min(max(start, end), last)] - self._sums[min(start, last)]
