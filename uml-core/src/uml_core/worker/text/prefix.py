"""How much two sequences of tokens have in common."""

from __future__ import annotations

from collections.abc import Sequence


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the tokens with which both begin. Slices of the same type are compared by C, not one by one."""
    same, different = 0, min(len(one), len(other)) + 1
    if one[: different - 1] == other[: different - 1]:
        return different - 1
    while different - same > 1:
        middle = (same + different) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            different = middle
    return same
