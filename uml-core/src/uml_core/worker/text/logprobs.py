"""What is told of a token's probability, once the text that it belongs to is sent."""

from __future__ import annotations

from uml_core.worker.delta import TokenLogprob, TopLogprob
from uml_core.worker.text.choice import Chosen
from uml_core.worker.text.tokenizer import Tokenizer


class Logprobs:
    """Keeps the tokens whose text was not sent yet."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._kept: list[tuple[int, TokenLogprob]] = []

    def add(self, chosen: Chosen, start: int) -> None:
        """Take a token whose text begins after *start* characters of the answer."""
        if chosen.logprob is None:
            return
        top = tuple(self._record(token, logprob) for token, logprob in chosen.top)
        own = self._record(chosen.token, chosen.logprob)
        self._kept.append((start, TokenLogprob(own.token, own.bytes, own.logprob, top)))

    def take(self, end: int | None = None) -> tuple[TokenLogprob, ...]:
        """Give what was kept, and forget it.

        :param end: the answer was cut there; who begins later is not part of it
        """
        kept, self._kept = self._kept, []
        return tuple(logprob for start, logprob in kept if end is None or start < end)

    def _record(self, token: int, logprob: float) -> TopLogprob:
        data = self._tokenizer.piece(token, special=True)
        return TopLogprob(data.decode("utf-8", "replace"), data, logprob)
