"""The memory of a model that is kept as it is stored, in one place, by torch."""

from __future__ import annotations

from collections.abc import Iterator

from uml_core.planning.estimate.number_types import number_bytes
from uml_core.planning.task import WHOLE
from uml_core.types import HOST, Layer, MemoryPart, ModelCard, Placement, Shape

STATE_BYTES = 4
UNKNOWN_PART = 0.15
"""What a model of unknown dimensions gets for its calculation, of the size of its files."""
OWN_BYTES = 5_000_000
"""What a model's own objects take."""
ALIVE_PART = 0.5
"""How much of the numbers of a batch is alive at once: torch frees each as soon as it was read."""
MASK_BYTES = 12
"""For each pair of tokens: the mask, and what it is made of."""


class StoredRule:
    """The parts of *model*, on the first device or in memory."""

    def __init__(self, model: ModelCard) -> None:
        self._shape = model.shape or Shape()
        self._weight_bytes = weight_bytes(model)
        self._number_bytes = _number_bytes(model)
        self._keeps = not model.tasks or not WHOLE.issuperset(model.tasks)

    def parts(self, *, context_length: int, parallel: int, placement: Placement) -> Iterator[MemoryPart]:
        """Weights, cache and compute."""
        device = placement.devices[0] if placement.devices else HOST
        yield self._weights(device)
        if not self._shape.layers:
            yield MemoryPart.exact(device, "compute", round(self._weight_bytes * UNKNOWN_PART) + OWN_BYTES)
            return
        number = self._number_bytes
        if placement.cache_type_k not in ("f16", "bf16"):
            number = number_bytes(placement.cache_type_k)
        yield MemoryPart.exact(device, "kv_cache", round(self._kept(context_length, number) * parallel))
        tokens = min(placement.batch, context_length)
        first, full = (self._compute(tokens, seen) * parallel + OWN_BYTES for seen in (tokens, context_length))
        yield MemoryPart(
            device=device, kind="compute", size_bytes=round(full), low_bytes=round(first), high_bytes=round(2 * full)
        )

    def late_bytes(self, _: Placement) -> int:
        """See :meth:`uml_core.planning.estimate.Estimator.late_bytes`."""
        return 0

    def _weights(self, device: str) -> MemoryPart:
        return MemoryPart.exact(device, "weights", self._weight_bytes)

    def _kept(self, tokens: int, number: float) -> float:
        return sum(_kept(layer, tokens, number) for layer in self._shape.layers) if self._keeps else 0.0

    def _compute(self, tokens: int, seen: int) -> float:
        """The most that a batch of *tokens* takes that look back at *seen*: in the network, or in the attention."""
        heads = max((self._shape.heads * layer.key_length for layer in self._shape.layers), default=0)
        repeated = 2 * heads * self._number_bytes  # keys and values, once for each head of the queries
        attention = seen * (tokens * MASK_BYTES + repeated)
        return max(ALIVE_PART * tokens * _wide(self._shape) * self._number_bytes, attention)


def weight_bytes(model: ModelCard) -> int:
    """The tensors without what stands beside them in the folder, if the card tells; all of what nothing is known of."""
    if model.shape and model.parameters and model.bits_per_weight:
        return min(model.size_bytes, round(model.parameters * model.bits_per_weight / 8))
    return model.size_bytes


def _number_bytes(model: ModelCard) -> float:
    """A cache has the numbers that are calculated with: of quantized weights those of 16 bits."""
    return 4.0 if model.bits_per_weight and model.bits_per_weight > 16.5 else 2.0


def _wide(shape: Shape) -> int:
    """Numbers of a token that are alive at once: gate, up and product, and what goes around them."""
    inner = shape.feed_forward_length or 3 * shape.embedding_length
    return 3 * inner * max(1, shape.experts_used) + 4 * shape.embedding_length


def _kept(layer: Layer, tokens: int, number: float) -> float:
    if layer.kind == "none":
        return 0.0
    if layer.kind == "sliding" and layer.window:
        tokens = min(tokens, layer.window)
    elements = layer.kv_heads * (layer.key_length + layer.value_length)
    return elements * number * tokens + layer.state_elements * STATE_BYTES
