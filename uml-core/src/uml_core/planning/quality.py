"""How capable a model may be expected to be, from its card: a number to order by, of no other meaning."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

from uml_core.types import ModelCard

KEPT = ((2.0, 0.1), (2.9, 0.25), (3.4, 0.45), (4.0, 0.7), (4.8, 0.92), (5.7, 0.97), (6.5, 0.99), (8.5, 1.0))
"""Bits per weight, and the part of its parameters that an equally good model would have in 16 bits.

From the perplexities that llama.cpp's pull requests 1684 (LLaMA 7B beside 13B) and 6936 (Llama 3 8B) report for their
quantizations: what one loses against 16 bits, against what a doubling of the parameters gains.
"""
GATED_MATRICES = 3
USUAL_BITS = 16.0


def active_part(card: ModelCard) -> float:
    """The part of the weights that works on each token: 1, but less for a mixture of experts."""
    shape = card.shape
    if shape is None or not card.parameters or shape.experts <= shape.experts_used:
        return 1.0
    expert = GATED_MATRICES * shape.embedding_length * shape.feed_forward_length
    idle = (shape.experts - shape.experts_used) * expert * len(shape.layers)
    return max(1 - idle / card.parameters, shape.experts_used / shape.experts)


def quality(card: ModelCard) -> float:
    """Parameters that count: less for few bits, and for experts that mostly rest (the geometric mean of both counts).

    A model whose parameters are unknown gets as many as its files could hold in 16 bits.
    """
    bits = card.bits_per_weight or USUAL_BITS
    parameters = card.parameters or card.size_bytes * 8 / bits
    return parameters * sqrt(active_part(card)) * kept(bits)


def kept(bits: float) -> float:
    """The part of its parameters that a model is worth when it's stored with so many bits per weight."""
    (lowest, least), (highest, most) = KEPT[0], KEPT[-1]
    if bits >= highest:
        return most
    for (low, before), (high, after) in pairwise(KEPT):
        if low <= bits < high:
            return before + (after - before) * (bits - low) / (high - low)
    return least * max(bits, 0.0) / lowest
