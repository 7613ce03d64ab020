"""How the next token of one sequence is to be chosen, and what was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field, frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@define
class Choice:
    """One sequence's wishes, as of now; the text layer keeps it up to date from token to token.

    In this order: ``bias`` is added to the logits of its tokens; ``counts`` has how often each recent token occurs,
    for the penalties of OpenAI (``presence``, ``frequency``) and of llama.cpp (``repeat``, a factor); ``mask`` has one
    bit a token, least significant first, in int32 words, of which only set ones may be chosen; a ``temperature`` of 0
    takes the likeliest; else ``top_k`` (0: all), ``typical_p``, ``top_p`` and ``min_p`` leave only some, and ``random``
    draws from those, tempered, by their probability: it is asked for one number in [0, 1) a token, which is looked up
    in the probabilities added up from the likeliest on, so that a seed gives the same answer in every sampler.
    ``logprobs`` is how many of the likeliest to tell of, None if nobody wants to know.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    repeat: float = 1.0
    bias: Mapping[int, float] = field(factory=dict)
    counts: Counter[int] = field(factory=Counter)
    mask: NDArray[np.int32] | None = None
    random: np.random.Generator | None = None
    logprobs: int | None = None


@frozen
class Chosen:
    """A token, and what it was asked for: natural logarithms of the probabilities that the model itself gave."""

    token: int
    logprob: float | None = None
    top: Sequence[tuple[int, float]] = ()


class Sampler(Protocol):
    """Chooses a token for each row of logits."""

    def choose(self, logits: Any, choices: Sequence[Choice]) -> list[Chosen]:
        """Choose.

        :param logits: what :meth:`TokenModel.forward` gave, of shape ``(len(choices), n_vocab)``; may be overwritten
        :raises FloatingPointError: a row has no finite number: the model is broken
        """
        ...
