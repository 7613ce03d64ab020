"""Which threads and which way of waiting are worth a try."""

from __future__ import annotations

from uml_core.planning.learned import Pair
from uml_core.types import HostInfo

WAYS = (None, False)
MANY = 8
"""From so many cores on, half of them are worth a try: memory is often the narrow place, not the cores."""


def candidates(host: HostInfo, *, default: Pair) -> list[Pair]:
    """Pairs of threads and spin, the default one first; spin is the engine's own, or off. One thread waits for none."""
    cores = host.physical_cores
    half = [cores // 2] if cores >= MANY else []
    counts = sorted({1, *half, max(1, cores - 1), cores, default[0]})
    pairs: list[Pair] = [(threads, spin) for threads in counts for spin in WAYS[: min(threads, 2)]]
    return [default, *(pair for pair in pairs if pair != default)]
