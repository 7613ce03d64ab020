"""What llama.cpp's calculation takes beside weights, cache and vocabulary: its buffers.

The terms are the tensors that are alive at once in the graph's largest phase, in 32-bit floats for each token of a
batch. They were fitted to the buffers that llama.cpp reserves (July to November 2026) for shapes from 135 million
parameters to DeepSeek's; ``benchmarks/estimate.py`` compares them with real loads.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from uml_core.planning.estimate.cache import cells, padded
from uml_core.types import Layer, Placement, Shape

FLOAT_BYTES = 4
LATENT = 2.45
"""Parts of the joint key that latent attention has alive for each head: queries, absorbed ones, outputs."""
LATENT_GAP = 8192
"""What is alive beside, at most, where experts come after latent attention: the one leaves no room for the other."""
RECURRENT = 13.5
"""Widths alive in a layer with a state: its projections, twice as wide as the model, and their convolution."""
SCORE_WORK = 1.5
"""Scores that are written out are turned into another type for the multiplication with the values."""
GRAPH_BYTES, BLOCK_BYTES = 2_000_000, 30_000
"""The lists of what is to be calculated, in all and for each block."""
CUDA_BYTES, CUDA_EXPERT_BYTES, CUDA_LATENT_BYTES = 45_000_000, 140_000_000, 215_000_000
"""What CUDA's libraries take in the machine's memory for the first batch: more where they need cuBLAS."""


@frozen
class Room:
    """Bytes after the first batch, with a full context, and at most."""

    first: int
    full: int
    most: int


class Compute:
    """The room that models of *shape* need."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        attending = {layer for layer in shape.layers if layer.kind in ("full", "sliding", "latent")}
        self._windows = {layer.window if layer.kind == "sliding" else None for layer in attending}
        self._attention = max((_attention(shape, layer) for layer in attending), default=0.0)
        state = max((layer.state_elements for layer in shape.layers), default=0)
        self._state = state
        recurrent = RECURRENT * shape.embedding_length if state else 0.0
        self._floats = max(_network(shape), self._attention, recurrent)
        if shape.experts and any(layer.kind == "latent" for layer in attending):
            self._floats += min(4 * shape.embedding_length, LATENT_GAP)

    def room(self, *, context_length: int, parallel: int, placement: Placement) -> Room:
        """The buffers of the largest step: a batch whose tokens look back at a whole context."""
        tokens = min(placement.batch, padded(context_length) * parallel)
        whole = self._seen(context_length, placement)
        first = self._seen(min(context_length, tokens), placement)
        outputs = parallel * FLOAT_BYTES * (2 * self._shape.vocabulary_size + self._state)
        scored = placement.flash_attention is False
        return Room(
            round(outputs + tokens * self._a_token(first, scored=scored)),
            round(outputs + tokens * self._a_token(whole, scored=scored)),
            round(outputs + tokens * self._a_token(whole, scored=scored) * 1.1),
        )

    def _seen(self, context_length: int, placement: Placement) -> tuple[int, int]:
        """How many tokens a token looks back at: in all masks, and in the longest."""
        every = [
            cells(context_length, None if placement.full_window else window, placement.batch)
            for window in self._windows
        ]
        return sum(every), max(every, default=0)

    def _a_token(self, seen: tuple[int, int], *, scored: bool) -> float:
        masks, longest = seen
        if not scored:
            return self._floats * FLOAT_BYTES + masks * 2
        scores = SCORE_WORK * self._shape.heads * longest + self._attention + self._shape.embedding_length
        return max(self._floats, scores) * FLOAT_BYTES + masks * FLOAT_BYTES

    @property
    def graph_bytes(self) -> int:
        """What the lists of the calculation take in memory, wherever the model lies."""
        return GRAPH_BYTES + len(self._shape.layers) * BLOCK_BYTES

    def driver_bytes(self, devices: Iterable[str]) -> int:
        """What the libraries of the devices' driver take in memory once they calculate."""
        if not any(device.startswith("cuda") for device in devices):
            return 0
        if any(layer.kind == "latent" for layer in self._shape.layers):
            return CUDA_LATENT_BYTES
        return CUDA_EXPERT_BYTES if self._shape.experts else CUDA_BYTES

    def input_bytes(self, *, context_length: int, parallel: int, placement: Placement) -> int:
        """What is made in memory for each batch before it goes to a device: the embedded tokens, and the masks."""
        tokens = min(placement.batch, padded(context_length) * parallel)
        masks, _ = self._seen(context_length, placement)
        return tokens * (self._shape.embedding_length * FLOAT_BYTES + masks * 2)


def _network(shape: Shape) -> float:
    """Gate, up and their product beside what goes around them; of experts, the output of each that works, too."""
    width, used = shape.embedding_length, max(1, shape.experts_used)
    inner, outer = used * shape.feed_forward_length, used * width
    floats = 3 * inner + 4 * width
    if shape.experts and outer > 2 * inner:  # the outputs don't fit where gate and up were
        floats += outer + width
        floats += outer if outer > 3 * inner else 0
    return floats


def _attention(shape: Shape, layer: Layer) -> float:
    if layer.kind == "latent":
        return LATENT * shape.heads * layer.key_length + 2 * shape.embedding_length
    queries = shape.heads * layer.key_length
    return 2 * shape.embedding_length + 2 * queries + layer.kv_heads * (layer.key_length + layer.value_length)
