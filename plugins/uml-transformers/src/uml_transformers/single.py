"""A model that keeps more than keys and values of the past: one sequence after the other, in transformers' caches."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from uml_core.worker.text import Row, Tokenizer
from uml_transformers.slots import differ
from uml_transformers.step import Cancelled

TRIAL = (3, 6)


class CacheDecoder:
    """A :class:`uml_core.worker.text.TokenModel` with one of transformers' caches for each slot."""

    def __init__(self, model: Any, tokenizer: Tokenizer, *, slots: int, context_length: int, batch: int) -> None:
        self.tokenizer = tokenizer
        self.slots, self.context_length, self.batch = slots, context_length, batch
        self.device: torch.device = model.get_input_embeddings().weight.device
        self._model = model
        parameters = inspect.signature(model.forward).parameters
        self._cache_name = "past_key_values" if "past_key_values" in parameters else "cache_params"
        self._last = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._caches = [self._empty() for _ in range(slots)]
        self._held = [0] * slots
        self._cancelled: Callable[[], bool] = _never
        for layer in layers_of(model):
            layer.register_forward_pre_hook(self._look_up)
        self._in_pieces = True
        self._in_pieces = self._takes_pieces()
        if not self._in_pieces:  # then a prompt is read whole
            self.batch = context_length

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> Any:
        """See :meth:`uml_core.worker.text.TokenModel.forward`."""
        self._cancelled = cancelled
        found = []
        try:
            with torch.inference_mode():
                for row in rows:
                    logits = self._add(row)
                    if row.wanted:
                        found.append(logits)
        except Cancelled:
            for row in rows:  # some layers may have taken its tokens in
                self._forget(row.slot)
            return None
        return np.concatenate(found) if found else np.empty((0, self.tokenizer.n_vocab), np.float32)

    def keep(self, slot: int, length: int) -> int:
        """See :meth:`uml_core.worker.text.TokenModel.keep`; a state can't be set back."""
        surplus = self._held[slot] - length
        if surplus <= 0:
            return self._held[slot]
        if length and all(type(layer).__name__ == "DynamicLayer" for layer in self._caches[slot].layers):
            self._caches[slot].crop(-surplus)
            self._held[slot] = length
        else:
            self._forget(slot)
        return self._held[slot]

    def copy(self, source: int, target: int, length: int) -> int:
        """See :meth:`uml_core.worker.text.TokenModel.copy`."""
        if not length or self._held[source] < length:
            return 0
        with torch.inference_mode():
            self._caches[target], self._held[target] = copy.deepcopy(self._caches[source]), self._held[source]
        return self.keep(target, length)

    def close(self) -> None:
        self._caches.clear()
        del self._model

    def _forget(self, slot: int) -> None:
        self._caches[slot], self._held[slot] = self._empty(), 0

    def _add(self, row: Row) -> Any:
        pieces = [list(row.tokens)] if self._in_pieces or not row.start else [[token] for token in row.tokens]
        for piece in pieces:
            logits = self._pass(row.slot, piece)
        self._held[row.slot] = row.start + len(row.tokens)
        return logits[:, -1].float().cpu().numpy()

    def _pass(self, slot: int, tokens: list[int]) -> torch.Tensor:
        ids = torch.tensor([tokens], device=self.device)
        how = {self._cache_name: self._caches[slot], **self._last}
        said = self._model(input_ids=ids, use_cache=True, **how)
        self._caches[slot] = getattr(said, self._cache_name)
        logits: torch.Tensor = said.logits
        return logits

    def _empty(self) -> Any:
        return DynamicCache(config=self._model.config)

    def _look_up(self, *_: Any) -> None:
        if self._cancelled():
            raise Cancelled

    def _takes_pieces(self) -> bool:
        """Whether several tokens may follow what is there already: not every recurrent layer goes on from its state."""
        if self._model._is_stateful:  # noqa: SLF001 - transformers has no other word for it
            return False
        tokens = [(7 + 31 * at) % self.tokenizer.n_vocab for at in range(TRIAL[1])]
        whole = self.forward([Row(0, 0, tokens, wanted=True)], _never)[0]
        self.keep(0, 0)
        self.forward([Row(0, 0, tokens[: TRIAL[0]], wanted=True)], _never)
        pieces = self.forward([Row(0, TRIAL[0], tokens[TRIAL[0] :], wanted=True)], _never)[0]
        self.keep(0, 0)
        return differ(torch.from_numpy(pieces), torch.from_numpy(whole), self._model.dtype) <= 1


def layers_of(model: Any) -> Iterator[Any]:
    """The blocks of the part that writes."""
    count = getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", 0)
    lists = (module for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    yield from next((blocks for blocks in lists if len(blocks) == count), ())


def _never() -> bool:
    return False
