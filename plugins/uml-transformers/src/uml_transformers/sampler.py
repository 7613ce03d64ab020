"""The choice of tokens where the logits are: in one go for all sequences, so that only tokens leave the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from uml_core.worker.text import Choice, Chosen
from uml_core.worker.text.numpy_sampler import NumpySampler

FEW = 1024
"""How many of the likeliest are looked at first where nothing says how many are needed."""
COLDEST = 1e-6
WORD = 32


class TorchSampler:
    """Gives what :class:`~uml_core.worker.text.numpy_sampler.NumpySampler` gives, but for the last bits of a sum."""

    def choose(self, logits: torch.Tensor, choices: Sequence[Choice]) -> list[Chosen]:
        """See :meth:`uml_core.worker.text.Sampler.choose`."""
        with torch.inference_mode():
            said = {row: logits[row].clone() for row, one in enumerate(choices) if one.logprobs is not None}
            finite = logits.amax(1).isfinite().all()
            shift(logits, choices)
            tokens = self._tokens(logits, choices, finite)
            return [_told(said.get(row), token, choices[row]) for row, token in enumerate(tokens)]

    def _tokens(self, logits: torch.Tensor, choices: Sequence[Choice], finite: torch.Tensor) -> list[int]:
        drawn = [row for row, one in enumerate(choices) if one.temperature > 0 and one.typical_p >= 1]
        typical = [row for row, one in enumerate(choices) if one.temperature > 0 and one.typical_p < 1]
        found: torch.Tensor = logits.argmax(1)
        enough = finite
        if drawn:
            how = [choices[row] for row in drawn]
            rows = torch.tensor(drawn, device=logits.device)
            numbers = _numbers(how, logits.device)
            count = _first_look(how, logits.shape[1])
            found[rows], there = draw(logits[rows], numbers, count)
            enough = torch.stack((finite, there.all()))
        tokens: list[int] = found.tolist()
        flags = enough.reshape(-1).tolist()
        if not flags[0]:
            raise FloatingPointError("the model gave no finite number for any token")
        if len(flags) > 1 and not flags[1]:
            again = draw(logits[rows], numbers, logits.shape[1])[0].tolist()
            tokens = _put(tokens, drawn, again)
        for row in typical:
            tokens[row] = NumpySampler().choose(logits[row : row + 1].cpu().numpy(), [_silent(choices[row])])[0].token
        return tokens


def shift(logits: torch.Tensor, choices: Sequence[Choice]) -> None:
    """Bias, penalties, mask: in place."""
    _bias(logits, choices)
    _penalize(logits, choices)
    masked = [(row, one.mask) for row, one in enumerate(choices) if one.mask is not None]
    if masked:
        words = torch.from_numpy(np.stack([mask for _, mask in masked])).to(logits.device, non_blocking=True)
        bits = torch.arange(WORD, dtype=torch.int32, device=logits.device)
        allowed = ((words[:, :, None] >> bits) & 1).bool().reshape(len(masked), -1)[:, : logits.shape[1]]
        rows = torch.tensor([row for row, _ in masked], device=logits.device)
        logits[rows] = logits[rows].masked_fill(~allowed, -torch.inf)


def _bias(logits: torch.Tensor, choices: Sequence[Choice]) -> None:
    entries = [(row, token, amount) for row, one in enumerate(choices) for token, amount in one.bias.items()]
    if entries:
        rows, tokens, amounts = zip(*entries, strict=True)
        places = tuple(torch.tensor(part, device=logits.device) for part in (rows, tokens))
        logits.index_put_(places, torch.tensor(amounts, dtype=logits.dtype, device=logits.device), accumulate=True)


def _penalize(logits: torch.Tensor, choices: Sequence[Choice]) -> None:
    entries = [
        (row, token, (count, one.repeat, one.frequency, one.presence))
        for row, one in enumerate(choices)
        if (one.repeat, one.frequency, one.presence) != (1.0, 0.0, 0.0)
        for token, count in one.counts.items()
    ]
    if not entries:
        return
    rows, tokens, amounts = zip(*entries, strict=True)
    places = tuple(torch.tensor(part, device=logits.device) for part in (rows, tokens))
    count, repeat, frequency, presence = torch.tensor(amounts, dtype=logits.dtype, device=logits.device).unbind(1)
    seen = logits[places]
    seen = torch.where(seen > 0, seen / repeat, seen * repeat)
    logits[places] = seen - count * frequency - presence


def _numbers(choices: Sequence[Choice], device: torch.device) -> torch.Tensor:
    """Temperature, top_k, top_p, min_p and a drawn number, ``(5, rows, 1)``."""
    fresh = np.random.default_rng()
    rows = [
        (max(one.temperature, COLDEST), one.top_k, one.top_p, one.min_p, (one.random or fresh).random())
        for one in choices
    ]
    return torch.tensor(rows, dtype=torch.float64).to(device, non_blocking=True).T[:, :, None]


def _first_look(choices: Sequence[Choice], n_vocab: int) -> int:
    """How many of the likeliest will mostly do."""
    most = max((one.top_k for one in choices), default=0)
    return min(n_vocab, max(most, FEW if any(not one.top_k for one in choices) else 1))


def draw(logits: torch.Tensor, numbers: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw for each row among its *count* likeliest; and whether no more than those would have been wanted."""
    temperature, top_k, top_p, min_p, random = numbers
    n_vocab = logits.shape[1]
    if count < n_vocab:
        values, ids = logits.topk(count, dim=1)
    else:
        values, ids = logits.sort(dim=1, descending=True, stable=True)
    values = values.double()
    relative = values - values[:, :1]
    rank = torch.arange(count, device=logits.device)
    within = torch.where(top_k > 0, rank < top_k, True)  # noqa: FBT003
    weights = torch.where(within, relative.exp(), 0.0)
    apart = logits.double() - values[:, :1]
    limited = (top_k > 0) & (top_k < n_vocab)
    chances = weights / torch.where(limited, weights.sum(1, keepdim=True), apart.exp().sum(1, keepdim=True))
    before = chances.cumsum(1) - chances
    kept = within & ((before < top_p) | (top_p >= 1)) & (chances >= min_p * chances[:, :1]) & values.isfinite()
    kept[:, 0] = True
    reached = torch.where(kept, (relative / temperature).exp(), 0.0).cumsum(1)
    anything = ~limited & (top_p >= 1) & (min_p <= 0)
    total = torch.where(anything, (apart / temperature).exp().sum(1, keepdim=True), reached[:, -1:])
    at = (reached <= random * total).sum(1, keepdim=True)
    last = kept.sum(1, keepdim=True) - 1
    there = (last + 1 < count) | (limited & (top_k <= count)) | (anything & (at < count))
    return ids.gather(1, at.minimum(last))[:, 0], there if count < n_vocab else torch.ones_like(there)


def _told(said: torch.Tensor | None, token: int, choice: Choice) -> Chosen:
    if said is None:
        return Chosen(token)
    logprobs = said.double().log_softmax(0)
    if not choice.logprobs:
        return Chosen(token, logprobs[token].item())
    best, ids = logprobs.sort(descending=True, stable=True)
    numbers = zip(ids[: choice.logprobs].tolist(), best[: choice.logprobs].tolist(), strict=True)
    return Chosen(token, logprobs[token].item(), tuple(numbers))


def _silent(choice: Choice) -> Choice:
    """*choice* without what has been done already."""
    return Choice(
        temperature=choice.temperature,
        top_k=choice.top_k,
        top_p=choice.top_p,
        min_p=choice.min_p,
        typical_p=choice.typical_p,
        random=choice.random,
    )


def _put(tokens: list[int], rows: Sequence[int], values: Sequence[int]) -> list[int]:
    for row, value in zip(rows, values, strict=True):
        tokens[row] = value
    return tokens
