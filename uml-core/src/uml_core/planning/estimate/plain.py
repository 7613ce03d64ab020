"""The memory of a model that is read whole into one place: by torch, or by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator

from uml_core.planning.estimate.number_types import number_bytes
from uml_core.types import HOST, Layer, MemoryPart, ModelCard, Placement

STATE_BYTES = 4
UNKNOWN_PART = 0.15
"""What a model of unknown dimensions gets for its context, of the size of its files."""


class PlainRule:
    """The parts of *model*, on the first device or in memory."""

    def __init__(self, model: ModelCard) -> None:
        self._model = model
        self._shape = model.shape

    def parts(self, *, context_length: int, parallel: int, placement: Placement) -> Iterator[MemoryPart]:
        """Weights, cache and compute."""
        device = placement.devices[0] if placement.devices else HOST
        yield MemoryPart.exact(device, "weights", self._model.size_bytes)
        if self._shape is None:
            yield MemoryPart.exact(device, "compute", round(self._model.size_bytes * UNKNOWN_PART))
            return
        number = number_bytes(placement.cache_type_k)
        kept = sum(_kept(layer, context_length, number) for layer in self._shape.layers)
        yield MemoryPart.exact(device, "kv_cache", round(kept * parallel))
        tokens = min(placement.batch, context_length)
        wide = 3 * self._shape.feed_forward_length * max(1, self._shape.experts_used) + 8 * self._shape.embedding_length
        yield MemoryPart.exact(device, "compute", tokens * wide * 4)


def _kept(layer: Layer, tokens: int, number: float) -> float:
    if layer.kind == "sliding" and layer.window:
        tokens = min(tokens, layer.window)
    elements = layer.kv_heads * (layer.key_length + layer.value_length) if layer.kind != "none" else 0
    return elements * number * tokens + layer.state_elements * STATE_BYTES
