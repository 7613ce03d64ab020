"""Search in what is sorted: the first that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def first(ranked: Sequence[T], found: Callable[[T], R | None]) -> R | None:
    """What *found* gives for the first of *ranked* for which it isn't None.

    :param ranked: sorted: where it isn't None for one, it isn't for all those after it
    """
    if not ranked:
        return None
    if (best := found(ranked[0])) is not None:  # mostly there is room enough
        return best
    low, high = 1, len(ranked) - 1
    while low <= high:
        middle = (low + high) // 2
        one = found(ranked[middle])
        if one is None:
            low = middle + 1
        else:
            best, high = one, middle - 1
    return best
