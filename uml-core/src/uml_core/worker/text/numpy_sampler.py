"""The choice of tokens from logits in the machine's memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from uml_core.worker.text.choice import Choice, Chosen

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.intp]

_FEW = (256, 4096)
"""How many of the likeliest are sorted at first where nothing says how many are needed."""
_BLOCK = 64
_COLDEST = 1e-6
_LEAST = np.finfo(np.float32).min


class NumpySampler:
    """Chooses row by row; an answer that nobody constrains costs some tens of microseconds a token."""

    def choose(self, logits: Floats, choices: Sequence[Choice]) -> list[Chosen]:
        return [_choose(row, choice) for row, choice in zip(logits, choices, strict=True)]


def _choose(row: Floats, choice: Choice) -> Chosen:
    most = row.max()
    if not np.isfinite(most):
        raise FloatingPointError("the model gave no finite number for any token")
    said = row.copy() if choice.logprobs is not None else None
    _shift(row, choice)
    token = int(row.argmax()) if choice.temperature <= 0 else _draw(row, choice)
    return Chosen(token) if said is None else _told(said, token, choice.logprobs or 0)


def _told(said: Floats, token: int, count: int) -> Chosen:
    most = said.max()
    total = most + np.log(np.exp(said - most).sum(dtype=np.float64))
    ids, logits = likeliest(said, count) if count else ((), ())
    top = tuple((int(other), float(logit - total)) for other, logit in zip(ids, logits, strict=True))
    return Chosen(token, float(said[token] - total), top)


def _shift(row: Floats, choice: Choice) -> None:
    """Bias, penalties, mask: in place."""
    if choice.bias:
        row[list(choice.bias)] += np.fromiter(choice.bias.values(), np.float32)
    if choice.counts and (choice.repeat, choice.frequency, choice.presence) != (1.0, 0.0, 0.0):
        ids, counts = list(choice.counts), np.fromiter(choice.counts.values(), np.float32)
        seen = row[ids]
        seen = np.where(seen > 0, seen / choice.repeat, seen * choice.repeat)
        row[ids] = seen - counts * choice.frequency - choice.presence
    if choice.mask is not None:
        allowed = np.unpackbits(choice.mask.view(np.uint8), count=len(row), bitorder="little")
        row[allowed == 0] = -np.inf


def _draw(row: Floats, choice: Choice) -> int:
    random = (choice.random or np.random.default_rng()).random()
    for size, whole in _sizes(len(row), choice):
        ids, logits = likeliest(row, size)
        relative = logits.astype(np.float64) - logits[0]
        weights = np.exp(relative)
        total = weights.sum() if whole else np.exp(row - logits[0]).sum(dtype=np.float64)
        kept = _narrowed(weights / total, choice)
        if whole or len(kept) < len(ids):
            break
    reached = np.exp(relative[kept] / max(choice.temperature, _COLDEST)).cumsum()
    at = np.searchsorted(reached, random * reached[-1], side="right")
    return int(ids[kept[min(int(at), len(kept) - 1)]])


def _sizes(count: int, choice: Choice) -> Iterator[tuple[int, bool]]:
    """How many of the likeliest to look at, first a few if those may do; and whether there are no more than that."""
    if 0 < choice.top_k < count:
        yield choice.top_k, True
        return
    if choice.typical_p >= 1 and (choice.top_p < 1 or choice.min_p > 0):
        yield from ((few, False) for few in _FEW if few < count)
    yield count, True


def _narrowed(chances: Doubles, choice: Choice) -> Numbers:
    """Which of the *chances*, the greatest first, are left, in the same order."""
    kept = np.arange(len(chances))
    if choice.typical_p < 1:
        kept = _typical(chances, choice.typical_p)
        chances = chances[kept] / chances[kept].sum()
    if choice.top_p < 1:
        count = int(np.searchsorted(chances.cumsum(), choice.top_p)) + 1
        kept, chances = kept[:count], chances[:count]
    return kept[chances >= choice.min_p * chances[0]]


def _typical(chances: Doubles, share: float) -> Numbers:
    """Those whose surprise is nearest to the expected one, until they make up *share* (arXiv:2202.00666)."""
    surprise = -np.log(np.maximum(chances, np.finfo(np.float64).tiny))
    order = np.argsort(np.abs(surprise - (chances * surprise).sum()), kind="stable")
    count = int(np.searchsorted(chances[order].cumsum(), share)) + 1
    return np.sort(order[:count])


def likeliest(row: Floats, count: int) -> tuple[Numbers, Floats]:
    """The *count* greatest, the greatest first, of equals the lower number first; fewer if others are excluded."""
    ids = np.flatnonzero(row >= _floor(row, count))
    values = row[ids]
    order = np.argsort(-values, kind="stable")[:count]
    return ids[order], values[order]


def _floor(row: Floats, count: int) -> np.float32:
    """A number that *count* of the row reach, and not many more: the blocks' greatest tell it without a sort."""
    if count >= len(row):
        return _LEAST
    blocks = len(row) // _BLOCK
    several = row[: blocks * _BLOCK].reshape(_BLOCK, blocks).max(axis=0) if count <= blocks else row
    return max(np.partition(several, -count)[-count], _LEAST)
