"""A cache for graphs that give the past back one step longer: what came out of a step goes into the next.

Sequences that are computed together are a group, with one tensor for each layer's keys and values. Shorter ones have
places in it that the attention mask leaves out. As long as the same ones go on, nothing is put together anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import define
from numpy.typing import NDArray

from uml_core.worker.text import Row
from uml_onnx.graph import DecoderGraph
from uml_onnx.memory import Memory, memory_of
from uml_onnx.session import Session

Places: TypeAlias = "NDArray[np.bool_]"


@define(eq=False)
class _Group:
    """``filled`` says for each row which places hold something; ``grown`` are the tensors of the step under way."""

    slots: tuple[int, ...]
    tensors: list[Any]
    filled: Places
    grown: list[Any]

    def holds(self, rows: Sequence[Row]) -> bool:
        """Whether it is the past of just these rows."""
        lengths = self.filled.sum(axis=1).tolist()
        return self.slots == tuple(row.slot for row in rows) and lengths == [row.start for row in rows]


class GrownCache:
    """The past of sequences that is handed in and out."""

    def __init__(self, session: Session, graph: DecoderGraph) -> None:
        """Nothing is kept yet. Sequences of different lengths can go together where the graph is told their places."""
        self.together = graph.grouped or {"attention_mask", "position_ids"} <= graph.types.keys()
        self._session, self._graph = session, graph
        self._memory: Memory = memory_of(session.provider)
        self._groups: dict[int, _Group] = {}

    def bind(self, rows: Sequence[Row]) -> tuple[Any, NDArray[np.int64]]:
        group, count, binding = self._group(rows), len(rows[0].tokens), self._session.binding()
        for past, tensor in zip(self._graph.pasts, group.tensors, strict=True):
            self._memory.bind_input(binding, past.name, tensor)
        batch, before = group.filled.shape
        group.grown = [
            self._memory.new((batch, past.heads, before + count, past.length), past.type) for past in self._graph.pasts
        ]
        for past, tensor in zip(self._graph.pasts, group.grown, strict=True):
            self._memory.bind_output(binding, past.output, tensor)
        return binding, self._next(group, count).astype(np.int64)

    def added(self, rows: Sequence[Row]) -> None:
        group = self._groups[rows[0].slot]
        group.filled = self._next(group, len(rows[0].tokens))
        group.tensors, group.grown = group.grown, []

    def keep(self, slot: int, length: int) -> int:
        group = self._groups.get(slot)
        return min(length, int(group.filled[group.slots.index(slot)].sum())) if group else 0

    def copy(self, source: int, target: int, length: int) -> int:
        length = self.keep(source, length)
        self._groups[target] = self._joined((target,), [self._taken(source, length)], [length])
        return length

    def _next(self, group: _Group, count: int) -> Places:
        """The places that are filled after *count* more tokens of each row."""
        if self._graph.grouped:  # puts them behind the last of each row, wherever that is
            ends = group.filled.sum(axis=1, keepdims=True) + count
            return np.asarray(np.arange(group.filled.shape[1] + count) < ends)
        return np.pad(group.filled, ((0, 0), (0, count)), constant_values=True)

    def _group(self, rows: Sequence[Row]) -> _Group:
        known = self._groups.get(rows[0].slot)
        if known is None or not known.holds(rows):
            slots = tuple(row.slot for row in rows)
            known = self._joined(slots, [self._taken(row.slot, row.start) for row in rows], [r.start for r in rows])
            self._groups.update(dict.fromkeys(slots, known))
        return known

    def _taken(self, slot: int, length: int) -> list[NDArray[Any]]:
        """The first *length* tokens of a slot, of each tensor, without gaps."""
        if not length:
            return [np.zeros((past.heads, 0, past.length), past.type) for past in self._graph.pasts]
        group = self._groups[slot]
        row = group.slots.index(slot)
        places = np.flatnonzero(group.filled[row])[:length]
        gapless = int(places[-1]) - int(places[0]) == length - 1
        taken = slice(int(places[0]), int(places[-1]) + 1) if gapless else places
        return [self._memory.array(tensor)[row][:, taken] for tensor in group.tensors]

    def _joined(
        self, slots: tuple[int, ...], parts: Sequence[Sequence[NDArray[Any]]], lengths: Sequence[int]
    ) -> _Group:
        longest = max(lengths)
        before = [0 if self._graph.grouped else longest - length for length in lengths]
        filled: Places = np.zeros((len(slots), longest), bool)
        for row, (start, length) in enumerate(zip(before, lengths, strict=True)):
            filled[row, start : start + length] = True
        tensors = []
        for at, past in enumerate(self._graph.pasts):
            joined: NDArray[Any] = np.zeros((len(slots), past.heads, longest, past.length), past.type)
            for row, (start, length) in enumerate(zip(before, lengths, strict=True)):
                joined[row, :, start : start + length] = parts[row][at]
            tensors.append(self._memory.holding(joined))
        return _Group(slots, tensors, filled, [])
