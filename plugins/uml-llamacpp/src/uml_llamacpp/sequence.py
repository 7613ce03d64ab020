"""The one sequence of tokens that the context holds, and what of it can be used again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile

import llama_cpp as c

from uml_core.errors import ModelLoadError
from uml_core.types import Plan
from uml_llamacpp.log import EngineLog
from uml_llamacpp.model import Model, failure
from uml_llamacpp.options import Options
from uml_llamacpp.parameters import context_parameters

_ABORTED = 2


class TokenSequence:
    """A context for ``n_ctx`` tokens, of which at most ``n_batch`` are added in one step."""

    def __init__(self, model: Model, plan: Plan, options: Options, *, log: EngineLog) -> None:
        """Make the room.

        :raises InsufficientMemoryError: llama.cpp lacks memory for it
        :raises ModelLoadError: it refuses the options
        """
        log.forget()
        self.context = c.llama_init_from_model(model.pointer, context_parameters(plan, options))
        if self.context is None:
            why = log.why()
            raise failure(why, ModelLoadError)(
                f"llama.cpp can't make a context of {plan.context_length} tokens: {why}; "
                "load with a smaller context_length or other options"
            )
        self.n_ctx = min(plan.context_length, c.llama_n_ctx(self.context))  # llama.cpp rounds up
        self.n_batch = c.llama_n_batch(self.context)
        self._memory = c.llama_get_memory(self.context)
        self._window = c.llama_model_n_swa(model.pointer)
        self._past: list[int] = []

    def close(self) -> None:
        c.llama_free(self.context)

    def rewind(self, tokens: Sequence[int]) -> int:
        """Keep what *tokens* begin with, and say how many that are. The last is never kept: its logits are needed."""
        pairs = zip(tokens[:-1], self._past, strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if not self._reaches(common) or not c.llama_memory_seq_rm(self._memory, 0, common, -1):
            self._clear()
        del self._past[common:]
        return len(self._past)

    def _reaches(self, common: int) -> bool:
        """Whether a sliding window still has what the token after *common* looks back at."""
        return not self._window or c.llama_memory_seq_pos_min(self._memory, 0) <= max(0, common - self._window)

    def add(self, tokens: Sequence[int], *, cancelled: Callable[[], bool] | None = None) -> bool:
        """Compute at most ``n_batch`` tokens; False if *cancelled*, which is asked all the time, ended it.

        :raises RuntimeError: llama.cpp failed; the sequence is empty then
        """
        array = (c.llama_token * len(tokens))(*tokens)
        with self._aborted_if(cancelled):
            code = c.llama_decode(self.context, c.llama_batch_get_one(array, len(tokens)))
        if code not in {0, _ABORTED}:
            self._clear()
            raise RuntimeError(f"llama_decode gave {code}")
        if code == 0:
            self._past += tokens
        return bool(code == 0)

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

    def _clear(self) -> None:
        self._past.clear()
        c.llama_memory_clear(self._memory, True)  # noqa: FBT003 - of a C function
