"""What llama.cpp's calculation takes beside weights and cache."""

from __future__ import annotations

from attrs import frozen

from uml_core.planning.estimate.cache import padded
from uml_core.types import Placement, Shape

FLOAT_BYTES = 4
TOKEN_BYTES = 330
"""What an entry of the vocabulary takes, with its text and its place in the tables that find it."""


@frozen
class Room:
    """Bytes that are set aside, and those of them that a full batch touches: only these take memory on the host."""

    touched: int
    reserved: int


def compute_room(shape: Shape, *, context_length: int, parallel: int, placement: Placement) -> Room:
    """The buffers of the largest step: a batch whose tokens attend to a whole context."""
    tokens = min(placement.batch, padded(context_length))
    wide = max(shape.feed_forward_length * max(1, shape.experts_used) * 3, shape.embedding_length * 6)
    inner = tokens * wide * FLOAT_BYTES
    mask = tokens * padded(context_length) * 2
    scores = 0
    if placement.flash_attention is False:
        scores = tokens * padded(context_length) * shape.heads * FLOAT_BYTES * 2
    logits = shape.vocabulary_size * FLOAT_BYTES
    touched = inner + mask + scores + logits * parallel * 2
    return Room(touched, max(touched, logits * tokens + mask + scores))


def vocabulary_bytes(shape: Shape) -> int:
    """What the engine keeps of the vocabulary, in memory wherever the model is."""
    return shape.vocabulary_size * TOKEN_BYTES
