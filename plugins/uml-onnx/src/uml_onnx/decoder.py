"""A model that writes, as the text layer wants it: tokens in, logits out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uml_core.types import Plan
from uml_core.worker.text import Row, Tokenizer
from uml_onnx.cache import Cache
from uml_onnx.graph import DecoderGraph
from uml_onnx.grown_cache import GrownCache
from uml_onnx.session import Session
from uml_onnx.shared_cache import SharedCache


class Decoder:
    """Several sequences of one graph: those that go on by one token together, prompts one after the other."""

    def __init__(self, session: Session, graph: DecoderGraph, tokenizer: Tokenizer, *, plan: Plan, batch: int) -> None:
        slots, length = plan.parallel, plan.context_length
        self.tokenizer, self.slots, self.context_length, self.batch = tokenizer, slots, length, min(batch, length)
        self._session, self._graph = session, graph
        self._cache: Cache = (
            SharedCache(session, graph, slots=slots, length=length)
            if graph.grouped and session.provider.memory == "cpu"
            else GrownCache(session, graph)
        )

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> NDArray[np.float32] | None:
        found: dict[int, NDArray[Any]] = {}
        for group in self._groups(rows):
            logits = self._compute(group, cancelled)
            if logits is None:
                return None
            if len(group) == len(rows) and all(row.wanted for row in group):  # the usual step: nothing to copy
                return logits[:, -1].astype(np.float32, copy=False)
            found |= {row.slot: logits[at, -1] for at, row in enumerate(group) if row.wanted}
        wanted = [found[row.slot] for row in rows if row.wanted]
        return np.array(wanted, np.float32).reshape(len(wanted), self._graph.n_vocab)

    def keep(self, slot: int, length: int) -> int:
        return self._cache.keep(slot, length)

    def copy(self, source: int, target: int, length: int) -> int:
        return self._cache.copy(source, target, length)

    def close(self) -> None:
        del self._cache, self._session

    def _groups(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        """What is computed in one run each: every prompt by itself, and at the end all single tokens."""
        single = []
        for row in rows:
            prompt, last = self._parted(row)
            if prompt:
                yield [prompt]
            if last:
                single.append(last)
        if self._cache.together and single:
            yield single
        else:
            yield from ([row] for row in single)

    def _parted(self, row: Row) -> tuple[Row | None, Row | None]:
        """A prompt, and a single token: also a prompt's last one, where that makes a difference.

        So it is computed the next time, when all the others of the same prompt are still there.
        """
        if len(row.tokens) == 1:
            return None, row
        if not (self._graph.coarse and row.wanted):
            return row, None
        *most, last = row.tokens
        return Row(row.slot, row.start, most, wanted=False), Row(row.slot, row.start + len(most), [last], wanted=True)

    def _compute(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> NDArray[Any] | None:
        tokens = np.array([row.tokens for row in rows], np.int64)
        binding, mask = self._cache.bind(rows)
        fed = self._fed(tokens, mask, np.array([row.start for row in rows])[:, None])
        for name, value in fed.items():
            binding.bind_cpu_input(name, value)
        logits = np.empty((len(rows), tokens.shape[1] if self._graph.each else 1, self._graph.n_vocab), self._type)
        binding.bind_output(self._graph.logits, "cpu", 0, logits.dtype, logits.shape, logits.ctypes.data)
        if not self._session.run(binding, cancelled, tokens=tokens.size):
            return None
        self._cache.added(rows)
        return logits

    @property
    def _type(self) -> np.dtype[Any]:
        return np.dtype(self._graph.logits_type)

    def _fed(self, tokens: NDArray[np.int64], mask: NDArray[np.int64], starts: NDArray[Any]) -> dict[str, NDArray[Any]]:
        known = {
            "input_ids": tokens,
            "attention_mask": mask,
            "position_ids": starts + np.arange(tokens.shape[1]),
            "use_cache_branch": np.array([bool(starts.any())]),
            "num_logits_to_keep": np.array(1),
        }
        types = self._graph.types
        return {name: np.ascontiguousarray(value, types[name]) for name, value in known.items() if name in types}
