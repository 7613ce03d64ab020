"""A model that reads whole texts, as the embedding layer computes it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from uml_core.worker.encode import Outputs
from uml_core.worker.encode.encoding import HuggingFaceEncoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

PADDED = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet")
"""Models whose first positions stand for padding and hold no token."""


class TorchEncoder:
    """A :class:`uml_core.worker.encode.EncoderModel`."""

    def __init__(self, model: Any, tokenizer: Tokenizer, *, context_length: int) -> None:
        """Take over a loaded model and its tokenizer."""
        encoding = HuggingFaceEncoding(tokenizer)
        encoding.n_vocab = model.get_input_embeddings().num_embeddings
        self.encode = encoding.encode
        config = model.config.get_text_config()
        positions = getattr(config, "max_position_embeddings", None) or context_length
        if config.model_type in PADDED:
            positions -= (config.pad_token_id or 0) + 1
        self.longest = min(positions, context_length)
        self.padding: int = config.pad_token_id or 0
        names = model.config.id2label or {}
        self.labels: Sequence[str] = [str(names[at]) for at in sorted(names)]
        self._model = model
        self._device = next(model.parameters()).device
        self._takes = set(inspect.signature(model.forward).parameters)

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


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.float().cpu().numpy()
    return found
