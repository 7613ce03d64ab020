"""What an engine has to bring to be served by the embedding layer: encoded texts in, hidden states or scores out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@frozen
class Encoded:
    """One text or pair of texts as the model wants it: token numbers, and to which of the two each belongs."""

    tokens: Sequence[int]
    types: Sequence[int]


@frozen
class Outputs:
    """What the model says of a batch: one of the three, float32.

    ``hidden`` has shape ``(batch, tokens, dimension)`` and is pooled by the layer, ``pooled`` ``(batch, dimension)``,
    ``logits`` ``(batch, labels)``.
    """

    hidden: NDArray[np.float32] | None = None
    pooled: NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None


class EncoderModel(Protocol):
    """A loaded model that reads whole texts. Everything is called in the one thread that loaded it.

    ``longest`` is the most tokens of one text, ``padding`` the token that fills a batch up, ``labels`` the names of
    the classes of a model that classifies.
    """

    longest: int
    padding: int
    labels: Sequence[str]

    def encode(self, text: str | tuple[int, ...], pair: str | None = None) -> Encoded:
        """Turn a text, or a pair of texts, into what the model reads, with its special tokens around them.

        :param text: tokens are taken as they are, with nothing around them
        :raises BadRequestError: one of those tokens is not in the vocabulary
        """
        ...

    def forward(self, tokens: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> Outputs:
        """Compute a batch; all three have shape ``(batch, tokens)``, and *mask* is 0 for what only fills it up."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...
