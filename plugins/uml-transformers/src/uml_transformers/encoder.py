"""A model that reads whole texts, as the embedding layer computes it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from uml_core.worker.encode import Encoded, Outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

PADDED = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet")
"""Models whose first positions stand for padding and hold no token."""


class TorchEncoder:
    """A :class:`uml_core.worker.encode.EncoderModel`."""

    def __init__(self, model: Any, tokenizer: Tokenizer, *, context_length: int) -> None:
        """Take over a loaded model; its tokenizer neither cuts nor fills up."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        config = model.config.get_text_config()
        positions = getattr(config, "max_position_embeddings", None) or context_length
        if config.model_type in PADDED:
            positions -= (config.pad_token_id or 0) + 1
        self.longest = min(positions, context_length)
        self.padding: int = config.pad_token_id or 0
        names = model.config.id2label or {}
        self.labels: Sequence[str] = [str(names[at]) for at in sorted(names)]
        self._model, self._tokenizer = model, tokenizer
        self._device = next(model.parameters()).device
        self._takes = set(inspect.signature(model.forward).parameters)
        self._before, self._after = _frame(tokenizer)

    def encode(self, text: str | tuple[int, ...], pair: str | None = None) -> Encoded:
        """See :meth:`uml_core.worker.encode.EncoderModel.encode`."""
        if not isinstance(text, str):
            framed = list(text) if self._is_framed(text) else [*self._before, *text, *self._after]
            return Encoded(framed, [0] * len(framed))
        found = self._tokenizer.encode(text, pair)
        return Encoded(found.ids, found.type_ids)

    def forward(self, tokens: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> Outputs:
        """See :meth:`uml_core.worker.encode.EncoderModel.forward`."""
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": types, "use_cache": None}
        inputs = {
            name: torch.from_numpy(part).to(self._device) if part is not None else False
            for name, part in given.items()
            if name in self._takes
        }
        with torch.inference_mode():
            said = self._model(**inputs)
        logits = getattr(said, "logits", None)
        if logits is not None:
            return Outputs(logits=_numpy(logits))
        return Outputs(hidden=_numpy(said.last_hidden_state))

    def close(self) -> None:
        del self._model

    def _is_framed(self, tokens: tuple[int, ...]) -> bool:
        count = len(self._before)
        return bool(count) and list(tokens[:count]) == self._before


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The tokens that the model wants before and after every text."""
    found = tokenizer.encode("a")
    special = found.special_tokens_mask
    first = special.index(0) if 0 in special else len(special)
    last = len(special) - special[::-1].index(0) if 0 in special else len(special)
    return found.ids[:first], found.ids[last:]


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.float().cpu().numpy()
    return found
