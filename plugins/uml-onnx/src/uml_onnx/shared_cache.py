"""A cache for GroupQueryAttention on the processor: new keys and values are written behind the old ones, in place.

Nothing is copied from step to step, and sequences of any lengths are computed together; the rows of a run must lie side
by side, so those that are computed together are moved there, which costs a copy when somebody comes or goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uml_core.worker.text import Row
from uml_onnx.cache import ends_of, mask_of
from uml_onnx.graph import DecoderGraph
from uml_onnx.memory import HostMemory
from uml_onnx.session import Session


class SharedCache:
    """Room for *slots* sequences of *length* tokens; the system gives the memory as it is written to."""

    together = True

    def __init__(self, session: Session, graph: DecoderGraph, *, slots: int, length: int) -> None:
        self._session, self._graph, self._memory = session, graph, HostMemory()
        self._buffers: list[NDArray[Any]] = [
            np.zeros((slots, past.heads, length, past.length), past.type) for past in graph.pasts
        ]
        self._places = list(range(slots))
        self._lengths = [0] * slots
        self._bindings: dict[tuple[int, int], Any] = {}

    def bind(self, rows: Sequence[Row]) -> tuple[Any, NDArray[np.int64]]:
        first = self._side_by_side([row.slot for row in rows])
        place = (first, first + len(rows))
        if place not in self._bindings:
            self._bindings[place] = self._bound(slice(*place))
        return self._bindings[place], mask_of(ends_of(rows))

    def added(self, rows: Sequence[Row]) -> None:
        for row, end in zip(rows, ends_of(rows), strict=True):
            self._lengths[row.slot] = end

    def keep(self, slot: int, length: int) -> int:
        self._lengths[slot] = min(length, self._lengths[slot])
        return self._lengths[slot]

    def copy(self, source: int, target: int, length: int) -> int:
        length = self._lengths[target] = min(length, self._lengths[source])
        here, there = self._places[source], self._places[target]
        for buffer in self._buffers:
            buffer[there, :, :length] = buffer[here, :, :length]
        return length

    def _bound(self, place: slice) -> Any:
        binding = self._session.binding()
        for past, buffer in zip(self._graph.pasts, self._buffers, strict=True):
            self._memory.bind_input(binding, past.name, buffer[place])
            self._memory.bind_output(binding, past.output, buffer[place])
        return binding

    def _side_by_side(self, slots: Sequence[int]) -> int:
        """Let *slots* lie one behind the other, in this order, and say where the first of them is."""
        first = self._places[slots[0]]
        if all(self._places[slot] == first + at for at, slot in enumerate(slots)):
            return first
        for at, slot in enumerate(slots):
            if self._places[slot] != at:
                self._swap(slot, self._places.index(at))
        return 0

    def _swap(self, one: int, other: int) -> None:
        here, there = self._places[one], self._places[other]
        length = max(self._lengths[one], self._lengths[other])
        for buffer in self._buffers:
            kept = buffer[here, :, :length].copy()
            buffer[here, :, :length] = buffer[there, :, :length]
            buffer[there, :, :length] = kept
        self._places[one], self._places[other] = there, here
