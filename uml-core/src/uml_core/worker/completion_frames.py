"""``/v1/completions`` on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from uml_core.worker import logprobs
from uml_core.worker.delta import Delta, TokenLogprob
from uml_core.worker.frames import Frames, Shape
from uml_core.worker.message import Message


class CompletionFrames(Frames):
    """Text alone, and where in it each token begins if anybody asked how likely they were."""

    prefix = "cmpl"
    kind = chunk_kind = "text_completion"

    def __init__(self, model_id: str, shape: Shape) -> None:
        self._told: Counter[int] = Counter()
        super().__init__(model_id, shape)

    def _choice(self, index: int, delta: Delta) -> dict[str, Any]:
        return _choice(index, str(delta.text), self._logprobs(index, delta.logprobs))

    def _end(self, index: int, reason: str) -> dict[str, Any]:
        return _choice(index, "", None, reason)

    def _final(self, index: int, message: Message) -> dict[str, Any]:
        said = self._logprobs(index, message.logprobs)
        return _choice(index, message.text, said, message.finish.reason if message.finish else None)

    def _logprobs(self, index: int, tokens: Sequence[TokenLogprob]) -> dict[str, Any] | None:
        if not tokens:
            return None
        start = self._told[index]
        self._told[index] += sum(len(token.token) for token in tokens)
        return logprobs.of_completion(tokens, start)


def _choice(index: int, text: str, logprobs: dict[str, Any] | None, reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
