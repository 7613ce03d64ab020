"""The sequences of tokens that one context holds, and the computing of several of them at once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import llama_cpp as c
import numpy as np
from numpy.typing import NDArray

from uml_core.errors import ModelLoadError
from uml_core.types import Plan
from uml_core.worker.text import Row, Tokenizer
from uml_llamacpp.batch import TokenBatch
from uml_llamacpp.log import EngineLog
from uml_llamacpp.model import Model, failure
from uml_llamacpp.options import Options
from uml_llamacpp.parameters import context_parameters
from uml_llamacpp.vocabulary import Vocabulary

_ABORTED = 2


class Sequences:
    """A context for ``slots`` sequences: what the text layer computes with."""

    def __init__(self, model: Model, plan: Plan, options: Options, *, log: EngineLog) -> None:
        """Make the room.

        :raises InsufficientMemoryError: llama.cpp lacks memory for it
        :raises ModelLoadError: it refuses the options, or the model can't go on with a text
        """
        if not c.llama_model_has_decoder(model.pointer) or c.llama_model_has_encoder(model.pointer):
            path = plan.model.path
            raise ModelLoadError(
                f"'{path}' holds no model of the kind that goes on with a text; no other is served here"
            )
        log.forget()
        self.context = c.llama_init_from_model(model.pointer, context_parameters(plan, options))
        if self.context is None:
            why = log.why()
            raise failure(why, ModelLoadError)(
                f"llama.cpp can't make a context of {plan.context_length} tokens: {why}; "
                "load with a smaller context_length or other options"
            )
        self.tokenizer: Tokenizer = Vocabulary(model.pointer)
        self.slots = plan.parallel
        self.context_length = min(plan.context_length, c.llama_n_ctx_seq(self.context))  # llama.cpp rounds up
        self.batch: int = c.llama_n_batch(self.context)
        self._model, self._log = model, log  # C holds only pointers to both
        self._memory = c.llama_get_memory(self.context)
        self._window = c.llama_model_n_swa(model.pointer)
        self._tokens = TokenBatch(self.batch, self.slots)

    def close(self) -> None:
        c.llama_free(self.context)
        self._model.close()

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> NDArray[np.float32] | None:
        """Compute the tokens of *rows*; None if *cancelled* ended it.

        :raises RuntimeError: llama.cpp failed
        """
        filled = self._tokens.fill(rows)
        reads = filled.n_tokens > len(rows)
        with self._aborted_if(cancelled if reads else None):
            code = c.llama_decode(self.context, filled)
        if code == _ABORTED:
            for row in rows:  # some of it may be computed
                c.llama_memory_seq_rm(self._memory, row.slot, row.start, -1)
            return None
        if code:
            raise RuntimeError(f"llama_decode gave {code}")
        return self._logits(sum(row.wanted for row in rows))

    def keep(self, slot: int, length: int) -> int:
        """Forget all but the first *length* tokens."""
        if self._reaches(slot, length) and c.llama_memory_seq_rm(self._memory, slot, length, -1):
            return length
        c.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return 0

    def copy(self, source: int, target: int, length: int) -> int:
        """Give *target* the first *length* tokens of *source*; a cache of its own takes only the whole sequence."""
        c.llama_memory_seq_rm(self._memory, target, -1, -1)
        if not self._reaches(source, length):
            return 0
        c.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        return self.keep(target, length)

    def _reaches(self, slot: int, length: int) -> bool:
        """Whether a sliding window still has what the token after *length* looks back at."""
        return not self._window or c.llama_memory_seq_pos_min(self._memory, slot) <= max(0, length - self._window)

    def _logits(self, count: int) -> NDArray[np.float32]:
        shape = (count, self.tokenizer.n_vocab)
        if not count:
            return np.empty(shape, np.float32)
        first = ctypes.addressof(c.llama_get_logits(self.context).contents)
        return np.frombuffer((ctypes.c_float * (shape[0] * shape[1])).from_address(first), np.float32).reshape(shape)

    @contextmanager
    def _aborted_if(self, cancelled: Callable[[], bool] | None) -> Iterator[None]:
        if cancelled is None:  # asked at every node of the graph, which a single token would feel
            yield
            return
        abort = c.ggml_abort_callback(lambda _: cancelled())
        c.llama_set_abort_callback(self.context, abort, None)
        try:
            yield
        finally:
            c.llama_set_abort_callback(self.context, c.ggml_abort_callback(), None)
