"""Models that make vectors and scores of whole texts: what the embedding layer computes with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import llama_cpp as c
import numpy as np

from uml_core.errors import BadRequestError, ModelLoadError
from uml_core.types import Plan
from uml_core.worker.encode import Encoded, Outputs
from uml_core.worker.encode.engine import EncoderEngine
from uml_core.worker.encode.recipe import Recipe
from uml_core.worker.encode.scores import Scores
from uml_core.worker.text import Row
from uml_llamacpp.batch import TokenBatch
from uml_llamacpp.log import EngineLog
from uml_llamacpp.model import Model, failure
from uml_llamacpp.options import Options
from uml_llamacpp.parameters import context_parameters
from uml_llamacpp.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKING = "text-ranking"
TEXTS = 64
"""So many texts are computed at once, if all of their tokens have room in a batch."""


def encodes(plan: Plan) -> bool:
    """Whether the model of *plan* makes vectors or scores, and no text."""
    return bool(plan.tasks) and "text-generation" not in plan.tasks


def serve_texts(model: Model, plan: Plan, options: Options, *, log: EngineLog) -> EncoderEngine:
    """The engine for such a model; what lies beside its file has nothing to say."""
    encoder = Encoder(model, plan, options, log=log)
    return EncoderEngine(encoder, plan, recipe=Recipe(), scores=Scores(), batch=encoder.batch)


def encoder_parameters(plan: Plan, options: Options) -> Any:
    """What the context is made with: a text that attends to itself in both directions has to be in one batch."""
    filled = context_parameters(plan, options)
    filled.n_ctx = filled.n_batch = filled.n_ubatch = max(filled.n_ubatch, plan.context_length)
    filled.n_seq_max, filled.kv_unified = TEXTS, True  # a text may take all of the room, or many share it
    filled.n_outputs_max = filled.n_batch  # each token is one, before they are pooled
    filled.embeddings = True
    if RANKING in plan.tasks:
        filled.pooling_type = c.LLAMA_POOLING_TYPE_RANK
    return filled


class Encoder:
    """A context that keeps nothing from one batch to the next. ``batch`` is the most tokens of one call."""

    labels: Sequence[str] = ()

    def __init__(self, model: Model, plan: Plan, options: Options, *, log: EngineLog) -> None:
        """Make the room.

        :raises InsufficientMemoryError: llama.cpp lacks memory for it
        :raises ModelLoadError: it refuses the options
        """
        self._model, self._log = model, log  # C holds only pointers to both
        self._context = self._made(encoder_parameters(plan, options))
        if c.llama_pooling_type(self._context) == c.LLAMA_POOLING_TYPE_NONE:  # the file says nothing of it
            c.llama_free(self._context)
            filled = encoder_parameters(plan, options)
            filled.pooling_type = c.LLAMA_POOLING_TYPE_MEAN
            self._context = self._made(filled)
        self._vocabulary = Vocabulary(model.pointer)
        self._vocab = c.llama_model_get_vocab(model.pointer)
        self._ranks = RANKING in plan.tasks
        self._width = (
            max(1, c.llama_model_n_cls_out(model.pointer)) if self._ranks else c.llama_model_n_embd(model.pointer)
        )
        self.longest = plan.context_length
        self.padding = 0
        self.batch: int = c.llama_n_batch(self._context)
        self._tokens = TokenBatch(self.batch, TEXTS)

    def _made(self, parameters: Any) -> Any:
        self._log.forget()
        context = c.llama_init_from_model(self._model.pointer, parameters)
        if context is None:
            why = self._log.why()
            raise failure(why, ModelLoadError)(
                f"llama.cpp can't make room for texts of {parameters.n_ctx} tokens: {why}"
            )
        return context

    def encode(self, text: str | tuple[int, ...], pair: str | None = None) -> Encoded:
        """See :meth:`uml_core.worker.encode.EncoderModel.encode`."""
        if isinstance(text, str):
            tokens = self._read(text) if pair is None else list(self._joined(text, pair))
        elif max(text) < self._vocabulary.n_vocab:
            tokens = list(text)
        else:
            raise BadRequestError(f"a token number must be below {self._vocabulary.n_vocab}", param="input")
        return Encoded(tokens=tokens, types=[0] * len(tokens))

    def forward(self, tokens: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> Outputs:  # noqa: ARG002
        """See :meth:`uml_core.worker.encode.EncoderModel.forward`; llama.cpp knows nothing of types."""
        texts = [row[:length] for row, length in zip(tokens, mask.sum(axis=1), strict=True)]
        rows = np.concatenate([self._compute(texts[at : at + TEXTS]) for at in range(0, len(texts), TEXTS)])
        return Outputs(logits=rows) if self._ranks else Outputs(pooled=rows)

    def close(self) -> None:
        """Give everything back."""
        c.llama_free(self._context)
        self._model.close()

    def _compute(self, texts: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        if memory := c.llama_get_memory(self._context):
            c.llama_memory_clear(memory, False)  # noqa: FBT003 - of a C function
        rows = [Row(slot=slot, start=0, tokens=text, wanted=True) for slot, text in enumerate(texts)]
        filled = self._tokens.fill(rows)
        np.ctypeslib.as_array(filled.logits, (filled.n_tokens,))[:] = 1  # every token is pooled
        if code := c.llama_decode(self._context, filled):
            raise RuntimeError(f"llama_decode gave {code}")
        found = [c.llama_get_embeddings_seq(self._context, slot) for slot in range(len(texts))]
        return np.stack([np.ctypeslib.as_array(row, (self._width,)).copy() for row in found])

    def _read(self, text: str) -> list[int]:
        return self._vocabulary.encode(text, add_special=True)

    def _joined(self, query: str, document: str) -> Iterator[int]:
        """Two texts as models that rank were trained on them; what the file has a template for, as that says."""
        template = c.llama_model_chat_template(self._model.pointer, b"rerank")
        if template:
            filled = template.decode("utf-8", "replace").replace("{query}", query).replace("{document}", document)
            yield from self._vocabulary.encode(filled, add_special=False)
            return
        end = c.llama_vocab_eos(self._vocab) if c.llama_vocab_eos(self._vocab) >= 0 else c.llama_vocab_sep(self._vocab)
        ends = [end] if c.llama_vocab_get_add_eos(self._vocab) else []
        between = [c.llama_vocab_sep(self._vocab)] if c.llama_vocab_get_add_sep(self._vocab) else []
        yield from [c.llama_vocab_bos(self._vocab)] if c.llama_vocab_get_add_bos(self._vocab) else []
        yield from (*self._vocabulary.encode(query, add_special=False), *ends, *between)
        yield from (*self._vocabulary.encode(document, add_special=False), *(ends or between))
