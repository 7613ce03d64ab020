"""From the texts of a request to what the model reads, within what it can read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import takewhile

from attrs import evolve, frozen

from uml_core.errors import BadRequestError, ContextLengthExceededError
from uml_core.worker.encode.model import Encoded, EncoderModel
from uml_core.worker.encode.requests import Text


@frozen
class Reading:
    """A text as the model reads it; the first *skipped* tokens are not pooled."""

    encoded: Encoded
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.encoded.tokens)


class Reader:
    """Reads texts for *model*, of at most *longest* tokens, with *prompt* before each."""

    def __init__(self, model: EncoderModel, *, longest: int, prompt: str = "", pools_prompt: bool = True) -> None:
        self._model = model
        self._longest = longest
        self._prompt = prompt
        self._pools_prompt = pools_prompt

    def read(self, text: Text, *, place: str, truncate: bool = False) -> Reading:
        """Read one text.

        :param place: what the text is called in the request, such as ``input[3]``
        :raises BadRequestError: it has no tokens
        :raises ContextLengthExceededError: it is too long, and is not to be cut
        """
        prompted = self._prompt + text if isinstance(text, str) else text
        encoded = self._cut(self._model.encode(prompted), place, truncate=truncate)
        return Reading(encoded, self._unpooled if isinstance(text, str) else 0)

    def read_pair(self, first: str, second: str, *, place: str, truncate: bool = False) -> Reading:
        """Read two texts that belong together; it is the second one that may be cut.

        :raises ContextLengthExceededError: they are too long
        """
        return Reading(self._cut(self._model.encode(first, second), place, truncate=truncate))

    def _cut(self, encoded: Encoded, place: str, *, truncate: bool) -> Encoded:
        if not encoded.tokens:
            raise BadRequestError(f"'{place}' has no tokens for this model", param=place.partition("[")[0])
        if len(encoded.tokens) <= self._longest:
            return encoded
        if not truncate:
            raise ContextLengthExceededError(
                f"'{place}' has {len(encoded.tokens)} tokens, but this model reads at most {self._longest}; "
                'shorten it, or say "truncate": true',
                param=place.partition("[")[0],
            )
        kept, end = self._longest - self._frame[1], len(encoded.tokens) - self._frame[1]
        return evolve(
            encoded,
            tokens=[*encoded.tokens[:kept], *encoded.tokens[end:]],
            types=[*encoded.types[:kept], *encoded.types[end:]],
        )

    @cached_property
    def _unpooled(self) -> int:
        """How many tokens the prompt has, with what stands before it; 0 if they are pooled like all others."""
        if self._pools_prompt or not self._prompt:
            return 0
        return len(self._model.encode(self._prompt).tokens) - self._frame[1]

    @cached_property
    def _frame(self) -> tuple[int, int]:
        """How many tokens the model wants before and after every text: what two texts have in common."""
        first, second = (self._model.encode(letter).tokens for letter in ("a", "b"))
        return _common(first, second), _common(first[::-1], second[::-1])


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
