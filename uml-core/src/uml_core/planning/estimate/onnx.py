"""The memory of a graph that ONNX Runtime runs on the processor.

Two decoders of 135 million parameters were measured, in 32 and in 4 bits, and small graphs of pictures and sound: the
intervals are wide.
"""

from __future__ import annotations

from uml_core.planning.estimate.stored import StoredRule
from uml_core.types import MemoryPart, ModelCard

FLOAT_BYTES = 4
ARENA_BYTES = 10_000_000
PACKED_PART = 0.83
"""How much of matrices of few bits there is twice: they are packed for the processor's instructions."""
ARENA_PARTS = 3
"""How often there is what the cache grew by: it is given out anew with each batch, and the arena gives nothing back."""


class OnnxRule(StoredRule):
    """Everything is copied into memory, calculated in 32 bits, and scored for each token of a batch."""

    def __init__(self, model: ModelCard) -> None:
        super().__init__(model)
        quantized = (model.bits_per_weight or FLOAT_BYTES * 8) < FLOAT_BYTES * 4
        if quantized:
            packed = PACKED_PART * sum(layer.weight_bytes for layer in self._shape.layers)
        else:
            packed = self._shape.vocabulary_size * self._shape.embedding_length * FLOAT_BYTES
        self._keeps = any(layer.kind != "none" for layer in self._shape.layers)
        self._packed_bytes = round(packed) if self._keeps else 0
        self._number_bytes = FLOAT_BYTES

    def _weights(self, device: str) -> MemoryPart:
        whole = self._weight_bytes + self._packed_bytes
        return MemoryPart(
            device=device, kind="weights", size_bytes=whole, low_bytes=self._weight_bytes, high_bytes=whole * 5 // 4
        )

    def _compute(self, tokens: int, seen: int) -> float:
        scores = tokens * self._shape.vocabulary_size * FLOAT_BYTES if self._keeps else 0
        grown = self._kept(seen, FLOAT_BYTES) - self._kept(tokens, FLOAT_BYTES)
        return ARENA_BYTES + scores + tokens * self._shape.embedding_length * FLOAT_BYTES * 8 + ARENA_PARTS * grown
