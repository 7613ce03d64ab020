"""How much memory a loaded model takes, from its card alone: a figure to rank and to list by, not the exact plan."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core.types import Layer, ModelCard, Shape

CELLS = 256
"""llama.cpp makes room for tokens in steps of so many."""
BATCH = 512
"""Tokens of a prompt that are computed at once: a sliding window needs room for them beside the window."""
PROCESS_BYTES = 60_000_000
"""A worker with nothing loaded: the interpreter or program, and the engine's libraries."""
UNKNOWN_PART = 0.15
"""What a model of unknown dimensions gets for its context, of the size of its files."""
FLOAT_BYTES = 4


def needs_bytes(card: ModelCard, *, context_length: int, kv_bits: int = 16) -> int:
    """Add up weights, the cache of one sequence, and an allowance for computing and for the process itself.

    Weights are the size of the files. The allowance is 60 MB for the process, and for a batch of 512 tokens three
    times the feed-forward layer as 32-bit floats; room for the scores of a whole batch is reserved, but rarely used.

    :param context_length: tokens of context; no more than the model was trained with are counted
    :param kv_bits: bits of each number in the cache
    """
    if card.shape is None:
        return round(card.size_bytes * (1 + UNKNOWN_PART)) + PROCESS_BYTES
    tokens = min(context_length, card.context_length or context_length)
    cache = sum(count * _cache_bytes(layer, tokens, kv_bits) for layer, count in _counted(card.shape.layers))
    return card.size_bytes + cache + _computing_bytes(card.shape, tokens) + PROCESS_BYTES


def _counted(layers: Iterable[Layer]) -> Iterable[tuple[Layer, int]]:
    """Each layer once with its number: equal ones are mostly one object, and a list has thousands of models."""
    counts: dict[int, tuple[Layer, int]] = {}
    for layer in layers:
        counts[id(layer)] = layer, counts.get(id(layer), (layer, 0))[1] + 1
    return counts.values()


def _cache_bytes(layer: Layer, tokens: int, kv_bits: int) -> int:
    """What a layer keeps of a sequence; a state is always of 32-bit floats."""
    elements = {
        "full": layer.kv_heads * (layer.key_length + layer.value_length) * _padded(tokens),
        "sliding": layer.kv_heads * (layer.key_length + layer.value_length) * _windowed(layer, tokens),
        "latent": layer.key_length * _padded(tokens),
    }.get(layer.kind, 0)
    return elements * kv_bits // 8 + layer.state_elements * FLOAT_BYTES


def _windowed(layer: Layer, tokens: int) -> int:
    return _padded(min(tokens, layer.window + BATCH) if layer.window else tokens)


def _padded(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def _computing_bytes(shape: Shape, tokens: int) -> int:
    width = 3 * shape.feed_forward_length * max(1, shape.experts_used)
    return min(BATCH, tokens) * width * FLOAT_BYTES
