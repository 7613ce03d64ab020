"""What a graph that writes takes on the processor, beside its weights and its cache.

Measured with a decoder of 135 million parameters in both of the ways that :mod:`uml_onnx.shared_cache` and
:mod:`uml_onnx.grown_cache` keep the past. Core's formula is of a loop that hands the past in and out for each sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.types import HOST, MemoryEstimate, MemoryPart, Plan

FLOAT_BYTES = 4
OWN_BYTES = 12_000_000
ALIVE = 8
"""So many vectors of each token are alive at once."""
SCORES = 6
"""So many tables of a batch against all that it looks back at, where the attention is made of single operators."""
UNCERTAIN = 1.5


def estimate(plan: Plan) -> MemoryEstimate | None:
    """The buffers of the calculation; None where core's formula is as good: on devices, and of graphs that read."""
    shape = plan.model.shape
    if plan.placement.devices or shape is None or not any(layer.kind != "none" for layer in shape.layers):
        return None
    batch = min(plan.placement.batch, plan.context_length)
    logits = batch * shape.vocabulary_size * FLOAT_BYTES
    size_bytes = OWN_BYTES + logits + batch * shape.embedding_length * ALIVE * FLOAT_BYTES
    if not _grouped(plan.model.metadata):
        kept = sum(layer.kv_heads * (layer.key_length + layer.value_length) for layer in shape.layers) * FLOAT_BYTES
        size_bytes += kept * plan.context_length * plan.parallel  # it goes in while it comes out
        size_bytes += SCORES * shape.heads * batch * plan.context_length * FLOAT_BYTES
    part = MemoryPart(
        device=HOST,
        kind="compute",
        size_bytes=size_bytes,
        low_bytes=size_bytes - logits,
        high_bytes=round(size_bytes * UNCERTAIN),
    )
    return MemoryEstimate(parts=(part,))


def _grouped(metadata: Mapping[str, Any]) -> bool:
    """Whether new keys and values are written behind the old ones; a folder's operators are told by graph."""
    told = metadata.get("graph.node")
    nodes = told if isinstance(told, Mapping) else {}
    return any(
        "GroupQueryAttention" in operators
        for operators in (nodes, *(some for some in nodes.values() if isinstance(some, Mapping)))
    )
