"""A model that writes, as the text layer computes it: all sequences in one pass, laid out one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch

from uml_core.worker.text import Row, Tokenizer
from uml_transformers.graphs import Graphs
from uml_transformers.slots import Slots, Unsupported, differ
from uml_transformers.step import Cancelled, Step

TRIAL = (3, 4)
"""So many tokens in two steps show whether the slots give what the model gives by itself."""


class SlotDecoder:
    """A :class:`uml_core.worker.text.TokenModel` on :class:`~uml_transformers.slots.Slots`."""

    def __init__(self, model: Any, tokenizer: Tokenizer, *, slots: int, context_length: int, batch: int) -> None:
        """Take over the attention of *model*, and try it.

        :raises Unsupported: the model computes something else then, or can't be computed so
        """
        self.tokenizer = tokenizer
        self.slots, self.context_length, self.batch = slots, context_length, batch
        self.device: torch.device = model.get_input_embeddings().weight.device
        self._model = model
        self._slots = Slots(model, slots=slots, context=context_length)
        self._held = [0] * slots
        self._graphs: Graphs | None = None
        self._picks = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._try()

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> Any:
        """See :meth:`uml_core.worker.text.TokenModel.forward`."""
        step = Step.of(rows, self.context_length, None if self.device.type == "cuda" else cancelled)
        tokens = [token for row in rows for token in row.tokens]
        wanted = [span.last - 1 for span, row in zip(step.spans, rows, strict=True) if row.wanted]
        try:
            with torch.inference_mode():
                logits = self._compute(step, tokens, wanted)
        except Cancelled:
            return None
        for span in step.spans:
            self._held[span.slot] = span.end
        return logits if self.device.type == "cuda" else logits.cpu().numpy()

    def keep(self, slot: int, length: int) -> int:
        """See :meth:`uml_core.worker.text.TokenModel.keep`; what is forgotten is written over later."""
        self._held[slot] = min(length, self._held[slot])
        return self._held[slot]

    def copy(self, source: int, target: int, length: int) -> int:
        """See :meth:`uml_core.worker.text.TokenModel.copy`."""
        self._held[target] = min(length, self._held[source])
        with torch.inference_mode():
            self._slots.copy(source, target, self._held[target])
        return self._held[target]

    def capture(self) -> None:
        """Record the steps in which each sequence gets one token, where that can be; else they go on as they are."""
        if self._slots.packed:
            self._graphs = Graphs.capture(self._pass, self.device, slots=self.slots, context=self.context_length)

    def close(self) -> None:
        self._graphs = None
        del self._model, self._slots

    def _compute(self, step: Step, tokens: Sequence[int], wanted: Sequence[int]) -> torch.Tensor:
        if self._graphs is not None and step.single and len(wanted) == len(tokens):
            return self._graphs.replay(step, tokens)
        parts = (tokens, step.positions, [*wanted] or [0])  # no logits at all is more than some models can give
        ids, places, picked = (torch.tensor([part]).to(self.device, non_blocking=True) for part in parts)
        return self._pass(step, ids, places, picked[0])[: len(wanted)]

    def _pass(self, step: Step, ids: torch.Tensor, places: torch.Tensor, picked: torch.Tensor) -> torch.Tensor:
        """Logits after the *picked* tokens of *ids*, ``(1, tokens)``."""
        how = {"logits_to_keep": picked} if self._picks else {}
        with self._slots.during(step):
            logits = self._model(input_ids=ids, position_ids=places, use_cache=False, **how).logits[0]
        if not how:
            logits = logits.index_select(0, picked)
        return logits.float()

    def _try(self) -> None:
        first, all_of_them = TRIAL
        tokens = [(7 + 31 * at) % self.tokenizer.n_vocab for at in range(all_of_them)]
        slot = self.slots - 1
        try:
            ids = torch.tensor([tokens], device=self.device)
            with torch.inference_mode():
                expected = self._model(input_ids=ids, use_cache=False).logits[0, -1].float().cpu()
            self.forward([Row(slot, 0, tokens[:first], wanted=False)], _never)
            found = torch.as_tensor(self.forward([Row(slot, first, tokens[first:], wanted=True)], _never))[0].cpu()
        except (Unsupported, RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise Unsupported(f"{type(error).__name__}: {error}") from error
        self._held[slot] = 0
        if not (apart := differ(found, expected, self._model.dtype)) <= 1:
            raise Unsupported(
                f"its logits are {apart:.1f} times further from those that it gives by itself than is usual"
            )


def _never() -> bool:
    return False
