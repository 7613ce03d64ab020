"""From the hidden states of a text's tokens to one vector, in the ways that sentence-transformers has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Mask: TypeAlias = NDArray[np.int64]


def pool(hidden: Floats, mask: Mask, ways: Sequence[str]) -> Floats:
    """Make one row of each text; several *ways* are put one after the other.

    :param hidden: shape ``(batch, tokens, dimension)``; what fills a row up stands behind its tokens
    :param mask: shape ``(batch, tokens)``, 1 for the tokens that count
    """
    return np.concatenate([WAYS[way](hidden, mask) for way in ways], axis=1).astype(np.float32, copy=False)


def _first(hidden: Floats, mask: Mask) -> Floats:  # noqa: ARG001 - every text has a first token
    return hidden[:, 0]


def _last(hidden: Floats, mask: Mask) -> Floats:
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    return hidden[np.arange(len(hidden)), last]


def _max(hidden: Floats, mask: Mask) -> Floats:
    return np.where(mask[:, :, None] > 0, hidden, -np.inf).max(axis=1)


def _sum(hidden: Floats, weights: Floats) -> Floats:
    return np.einsum("btd,bt->bd", hidden, weights)


def _mean(hidden: Floats, mask: Mask) -> Floats:
    return _sum(hidden, _floats(mask)) / _count(mask)


def _mean_sqrt(hidden: Floats, mask: Mask) -> Floats:
    return _sum(hidden, _floats(mask)) / np.sqrt(_count(mask))


def _weighted(hidden: Floats, mask: Mask) -> Floats:
    """Later tokens, which have seen more of the text, weigh more."""
    weights = mask * np.arange(1, mask.shape[1] + 1)
    return _sum(hidden, _floats(weights)) / _count(weights)


def _floats(mask: Mask) -> Floats:
    return mask.astype(np.float32)


def _count(mask: Mask) -> Floats:
    return np.maximum(_floats(mask).sum(axis=1, keepdims=True), 1e-9)


WAYS: Mapping[str, Callable[[Floats, Mask], Floats]] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted,
    "lasttoken": _last,
}
"""By the names of sentence-transformers, in the order in which it puts them together."""
