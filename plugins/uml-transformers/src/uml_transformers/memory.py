"""What core's formula can't know of a load: the number type that is calculated with, and that slots keep everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from uml_core.types import HOST, Layer, MemoryEstimate, MemoryPart, Plan

WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2, "FP32": 4, "FP16": 2, "BF16": 2, "FP64": 8}
WRITING = ("text-generation", "image-text-to-text")


def estimate(plan: Plan) -> MemoryEstimate | None:
    """Weights and cache of *plan*; None of what core knows as well."""
    parts = tuple(_parts(plan))
    return MemoryEstimate(parts=parts) if parts else None


def number_bytes(plan: Plan) -> int | None:
    """Bytes of a number that is calculated with; None of weights that are quantized or of a kind that's not known."""
    stored = WIDTHS.get(plan.model.quantization or "")
    if stored is None or plan.options.get("load_in_4bit") or plan.options.get("load_in_8bit"):
        return None
    said = WIDTHS.get(str(plan.options.get("dtype")))
    if said is not None:
        return said
    writes = bool(plan.tasks) and plan.tasks[0] in WRITING
    if plan.placement.devices:
        return min(2, stored) if writes else stored
    return 4 if plan.model.quantization == "FP16" else stored


def _parts(plan: Plan) -> Iterator[MemoryPart]:
    device = plan.placement.devices[0] if plan.placement.devices else HOST
    number, shape = number_bytes(plan), plan.model.shape
    if number and plan.model.parameters:
        yield MemoryPart.exact(device, "weights", plan.model.parameters * number)
    if shape is None or not plan.tasks or plan.tasks[0] not in WRITING:
        return
    kept = sum(_elements(layer, plan.model.metadata) for layer in shape.layers)
    if kept and all(layer.kind in ("full", "sliding", "latent") for layer in shape.layers):
        size_bytes = kept * (number or 2) * plan.context_length * plan.parallel
        low_bytes = size_bytes if plan.placement.devices else 0  # memory is taken as it is written to
        yield MemoryPart(
            device=device, kind="kv_cache", size_bytes=size_bytes, low_bytes=low_bytes, high_bytes=size_bytes
        )


def _elements(layer: Layer, metadata: Mapping[str, Any]) -> int:
    """Numbers that a token leaves in a layer: a window keeps all, a latent is kept as the keys that it stands for."""
    if layer.kind != "latent":
        return layer.kv_heads * (layer.key_length + layer.value_length)
    names = ("num_attention_heads", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    heads, plain, turned, value = (said if isinstance(said := metadata.get(name), int) else 0 for name in names)
    return heads * (plain + turned + value) or layer.key_length
