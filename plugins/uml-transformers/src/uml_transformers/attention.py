"""Attention over the slots of a cache, computed by torch: sequence by sequence, for every kind of attention."""

from __future__ import annotations

import torch
from attrs import frozen
from torch.nn import functional

from uml_transformers.step import Span, Step


@frozen
class Kind:
    """What a layer of a model wants of its attention beside the usual.

    ``window`` is how many tokens a token sees, itself included; ``softcap`` bounds the scores; ``sinks`` are scores of
    a token that is not there, one for each head.
    """

    scale: float | None = None
    window: int | None = None
    softcap: float | None = None
    sinks: torch.Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether fused kernels know it."""
        return self.softcap is None and self.sinks is None


class SlotCache:
    """Keys and values of one layer: ``(slots, heads, context, length)``, allocated, but not written."""

    def __init__(self, key: torch.Tensor, value: torch.Tensor, *, slots: int, context: int) -> None:
        """Make one for such keys and values, ``(1, heads, tokens, length)``."""
        self.keys = key.new_empty((slots, key.shape[1], context, key.shape[3]))
        self.values = value.new_empty((slots, value.shape[1], context, value.shape[3]))

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, step: Step, kind: Kind
    ) -> torch.Tensor:
        """Take the tokens of *step* in, and give what they see: ``(1, tokens, heads, length)``."""
        found = query.new_empty((1, query.shape[2], query.shape[1], value.shape[3]))
        for span in step.spans:
            self.keys[span.slot, :, span.start : span.end] = key[0, :, span.first : span.last]
            self.values[span.slot, :, span.start : span.end] = value[0, :, span.first : span.last]
            seen = self._seen(query[:, :, span.first : span.last], span, kind)
            found[:, span.first : span.last] = seen.transpose(1, 2)
        return found

    def copy(self, source: int, target: int, length: int) -> None:
        """Let *target* begin as *source* does."""
        self.keys[target, :, :length] = self.keys[source, :, :length]
        self.values[target, :, :length] = self.values[source, :, :length]

    def _seen(self, query: torch.Tensor, span: Span, kind: Kind) -> torch.Tensor:
        lowest = max(0, span.start - kind.window + 1) if kind.window else 0
        keys = self.keys[span.slot : span.slot + 1, :, lowest : span.end]
        values = self.values[span.slot : span.slot + 1, :, lowest : span.end]
        mask = None if span.count == 1 else visible(span, lowest, kind.window, query.device)
        return (fused if kind.plain else explicit)(query, keys, values, mask, kind)


def visible(span: Span, lowest: int, window: int | None, device: torch.device) -> torch.Tensor:
    """Which of the tokens from *lowest* on each new token sees: those before it, and of them the nearest."""
    new = torch.arange(span.start, span.end, device=device)[:, None]
    old = torch.arange(lowest, span.end, device=device)[None, :]
    seen = old <= new
    return seen & (old > new - window) if window else seen


def fused(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None, kind: Kind
) -> torch.Tensor:
    """Torch's own attention; a single token's heads that share keys are computed as if they were several tokens."""
    heads, shared = query.shape[1], keys.shape[1]
    if mask is None and heads != shared:
        grouped = query.reshape(1, shared, heads // shared, query.shape[3])
        seen = functional.scaled_dot_product_attention(grouped, keys, values, scale=kind.scale)
        return seen.reshape(1, heads, 1, values.shape[3])
    in_groups = heads != shared and query.device.type == "cpu"  # elsewhere some kernels know no groups with a mask
    if heads != shared and not in_groups:
        keys, values = (part.repeat_interleave(heads // shared, 1) for part in (keys, values))
    from_start = mask is not None and mask.shape[0] == mask.shape[1] and not kind.window
    return functional.scaled_dot_product_attention(
        query,
        keys,
        values,
        attn_mask=None if from_start else mask,
        is_causal=from_start,
        scale=kind.scale,
        enable_gqa=in_groups,
    )


def explicit(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None, kind: Kind
) -> torch.Tensor:
    """Attention written out, for what no fused kernel knows."""
    repeats = query.shape[1] // keys.shape[1]
    keys, values = (part.repeat_interleave(repeats, 1) if repeats > 1 else part for part in (keys, values))
    scale = kind.scale if kind.scale is not None else query.shape[3] ** -0.5
    scores = query @ keys.transpose(2, 3) * scale
    if kind.softcap is not None:
        scores = torch.tanh(scores / kind.softcap) * kind.softcap
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    if kind.sinks is not None:
        sinks = kind.sinks.to(scores.dtype).reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        scores = torch.cat((scores, sinks), -1)
    weights = scores.softmax(-1, dtype=torch.float32).to(values.dtype)
    return (weights[..., : keys.shape[2]] if kind.sinks is not None else weights) @ values
