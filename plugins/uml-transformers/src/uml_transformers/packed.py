"""Attention over the slots of a cache in one call for all sequences: torch's flash attention, on CUDA."""

from __future__ import annotations

from typing import Any

import torch

from uml_transformers.attention import Kind, SlotCache
from uml_transformers.step import Step

HALVES = (torch.float16, torch.bfloat16)
LONGEST_HEAD = 256


class PackedCache:
    """Keys and values of one layer: ``(slots * context + 1, heads, length)``, a slot's tokens one after the other.

    The last place belongs to no slot: there go the tokens that only fill a step up.
    """

    def __init__(self, key: torch.Tensor, value: torch.Tensor, *, slots: int, context: int) -> None:
        """Make one for such keys and values, ``(1, heads, tokens, length)``; zeros, for the last place is read."""
        self._context = context
        self.keys = key.new_zeros((slots * context + 1, key.shape[1], key.shape[3]))
        self.values = value.new_zeros((slots * context + 1, value.shape[1], value.shape[3]))

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, step: Step, kind: Kind
    ) -> torch.Tensor:
        """Take the tokens of *step* in, and give what they see: ``(1, tokens, heads, length)``."""
        device = query.device
        places = step.places(device)
        self.keys.index_copy_(0, places, key[0].transpose(0, 1))
        self.values.index_copy_(0, places, value[0].transpose(0, 1))
        seen = flash(
            query[0].transpose(0, 1).contiguous(),
            self.keys,
            self.values,
            begins=step.begins(device),
            bases=step.bases(device),
            held=step.held(device),
            longest=step.longest,
            kind=kind,
        )
        return seen[None]

    def copy(self, source: int, target: int, length: int) -> None:
        """Let *target* begin as *source* does."""
        source, target = source * self._context, target * self._context
        self.keys[target : target + length] = self.keys[source : source + length]
        self.values[target : target + length] = self.values[source : source + length]


def flash(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    *,
    begins: torch.Tensor,
    bases: torch.Tensor,
    held: torch.Tensor,
    longest: tuple[int, int],
    kind: Kind,
) -> torch.Tensor:
    """Let the tokens of *query*, those of each sequence at the end of it, see what it holds.

    ``torch.nn.attention.varlen`` calls the same operator, but takes *held* only in its latest versions.
    """
    left = kind.window - 1 if kind.window else -1
    seen: torch.Tensor = torch.ops.aten._flash_attention_forward(  # noqa: SLF001 - see above
        query,
        keys,
        values,
        begins,
        bases,
        *longest,
        0.0,
        longest[0] > 1,
        False,  # noqa: FBT003 - dropout, causal, debug
        scale=kind.scale,
        window_size_left=left,
        window_size_right=0 if kind.window or longest[0] > 1 else -1,
        seqused_k=held,
    )[0]
    return seen


def can_pack(key: torch.Tensor, value: torch.Tensor, kind: Kind) -> bool:
    """Whether flash attention knows such keys and values."""
    length = key.shape[3]
    fits = length == value.shape[3] and length <= LONGEST_HEAD and length % 8 == 0
    return key.is_cuda and key.dtype in HALVES and fits and kind.plain


def agrees(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, kind: Kind) -> bool:
    """Whether it computes here what it should: three sequences of which two are in the middle, against plain torch."""
    caches: list[Any] = [cache(key, value, slots=3, context=64) for cache in (PackedCache, SlotCache)]
    made = torch.Generator(device=key.device).manual_seed(1)
    for spans in (
        ((2, 0, 19), (0, 0, 1), (1, 0, 40)),
        ((2, 19, 20), (0, 1, 2), (1, 40, 41)),
        ((1, 41, 50), (2, 20, 21)),
    ):
        step = Step.of_spans(spans, 64)
        tokens = sum(end - start for _, start, end in spans)
        parts = [
            torch.randn((1, like.shape[1], tokens, like.shape[3]), generator=made, device=key.device, dtype=key.dtype)
            for like in (query, key, value)
        ]
        one, other = (cache.attend(*parts, step, kind) for cache in caches)
        if not torch.allclose(one.float(), other.float(), atol=2e-2, rtol=2e-2):
            return False
    return True
