"""Which blocks of a model lie on which device."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

from attrs import frozen

from uml_core.types import HOST, Placement


@frozen
class Span:
    """The blocks from ``start`` to before ``end`` on one ``device``; ``output``: the output layer lies there too."""

    device: str
    start: int
    end: int
    output: bool = False


def spans(blocks: int, placement: Placement) -> tuple[Span, ...]:
    """Deal *blocks* and the output layer, which is one more, out to memory and devices as llama.cpp does.

    The first ones stay in memory; the output layer is the last, so it goes along with the first that goes.
    """
    count = min(placement.gpu_layers, blocks + 1) if placement.devices else 0
    if count <= 0:
        return (Span(HOST, 0, blocks, output=True),)
    first = blocks + 1 - count
    bounds = [first, *(first + _reach(count, share) for share in _shares(placement))]
    dealt = [
        Span(device, min(start, blocks), min(end, blocks), output=start <= blocks < end)
        for device, (start, end) in zip(placement.devices, pairwise(bounds), strict=True)
    ]
    return (Span(HOST, 0, first), *dealt)


def _shares(placement: Placement) -> list[float]:
    """How much the devices up to each one get, as a part of all."""
    split = (*placement.split, *[0.0] * len(placement.devices))[: len(placement.devices)]
    if not any(split):
        split = (1.0,) * len(placement.devices)
    return [part / math.fsum(split) for part in accumulate(split)]


def _reach(count: int, share: float) -> int:
    return min(count, math.ceil(count * share - 1e-6))
