"""Amounts of memory that stand in one sentence, and so in one unit: ``free 1.9 + freed 5.9``, ``7.9 GB ± 0.3``."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

GB, MB = 10**9, 10**6
SMALLEST = 0.05
"""In GB; what is less would be read as nothing, and is told in MB instead."""


@frozen
class Unit:
    """A decimal unit, as :func:`~uml_core.cli.output.human_bytes` uses them."""

    name: str
    size_bytes: int

    @classmethod
    def of(cls, sizes: Iterable[int]) -> Unit:
        """The one in which the largest reads well."""
        return cls("GB", GB) if max(sizes, default=0) >= GB else cls("MB", MB)

    def bare(self, size_bytes: int) -> str:
        """``1.9``; with a unit of its own where it's too small for this one."""
        if self.size_bytes == GB and 0 < size_bytes < SMALLEST * GB:
            return f"{round(size_bytes / MB)} MB"
        amount = size_bytes / self.size_bytes
        return f"{amount:.1f}" if self.size_bytes == GB else f"{amount:.0f}"

    def whole(self, size_bytes: int) -> str:
        """``1.9 GB``."""
        bare = self.bare(size_bytes)
        return bare if bare.endswith("MB") else f"{bare} {self.name}"


def amount(size_bytes: int) -> str:
    """One amount by itself: ``1.9 GB``, ``80 MB``."""
    return Unit.of([size_bytes]).whole(size_bytes)


def interval(size_bytes: int, low_bytes: int, high_bytes: int) -> str:
    """``7.9 GB ± 0.3``; ``7.9 GB, up to 8.4`` where it may only be more; plain where it's sure to the last digit."""
    unit = Unit.of([size_bytes])
    told = unit.bare(size_bytes)
    below = size_bytes - low_bytes if unit.bare(low_bytes) != told else 0
    above = high_bytes - size_bytes if unit.bare(high_bytes) != told else 0
    if below and above:
        return f"{unit.whole(size_bytes)} ± {unit.bare(max(below, above))}"
    if above:
        return f"{unit.whole(size_bytes)}, up to {unit.bare(high_bytes)}"
    if below:
        return f"{unit.whole(size_bytes)}, {unit.bare(low_bytes)} at least"
    return unit.whole(size_bytes)
