"""How many weights some tensors stand for: packed ones count as what they stand for, their scales as nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from attrs import frozen

from uml_core.inspection.huggingface.quantization import Quantization

DTYPE_NAMES = {"F64": "FP64", "F32": "FP32", "F16": "FP16", "BF16": "BF16", "I8": "int8", "U8": "uint8", "F4": "FP4"}
BUFFERS = frozenset(("position_ids", "running_mean", "running_var", "num_batches_tracked", "inv_freq", "masked_bias"))
SCALES = frozenset(
    (
        *("qzeros", "scales", "g_idx", "biases", "zeros", "zero", "scale"),  # GPTQ, AWQ, MLX, HQQ
        *("absmax", "quant_map", "nested_absmax", "nested_quant_map", "SCB", "weight_format"),  # bitsandbytes
        *("q_scale", "q_scale_max", "q_groups", "q_group_map", "q_invperm", "q_perm"),  # EXL2
        *("suh", "svh", "su", "sv", "mcg", "mul1"),  # EXL3
        *("weight_scale", "weight_scale_inv", "weight_scale_2", "input_scale", "k_scale", "v_scale"),  # FP8, ModelOpt
        *("weight_zero_point", "weight_shape", "weight_g_idx", "weight_global_scale", "input_global_scale"),
        *("_scale", "_shift"),  # quanto
    )
)
PACKED = frozenset(("weight", "qweight", "weight_packed", "W_q", "_data"))


class Weight(NamedTuple):
    """One tensor as it is stored; ``dtype`` is one of safetensors' names (``F32``, ``BF16`` …)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int


@frozen(kw_only=True)
class Parameters:
    """``dtype`` is the name of what most weights are stored as, ``bits_per_weight`` the mean with scales and all."""

    count: int
    bits_per_weight: float | None
    dtype: str | None


def count_parameters(weights: Iterable[Weight], quantization: Quantization | None) -> Parameters:
    """Count what *weights* stand for."""
    tensors = {weight.name: weight for weight in weights}
    counts: Counter[str] = Counter()
    bits = 0
    for weight in tensors.values():
        elements = _elements(weight, tensors, quantization)
        counts[weight.dtype] += elements
        bits += weight.size_bytes * 8 if elements or quantization else 0
    count = counts.total()
    most = counts.most_common(1)[0][0] if count else None
    return Parameters(
        count=count,
        bits_per_weight=round(bits / count, 3) if count else None,
        dtype=most and ("FP8" if most.startswith("F8_") else DTYPE_NAMES.get(most, most)),
    )


def _elements(weight: Weight, tensors: Mapping[str, Weight], quantization: Quantization | None) -> int:
    base, _, last = weight.name.rpartition(".")
    if last in BUFFERS or (last == "bias" and base.endswith("attn") and len(weight.shape) == 4):  # GPT-2's causal mask
        return 0
    if quantization:
        if last in SCALES or last.startswith("bitsandbytes__") or last.endswith("_scales"):
            return 0
        if (packed := _packed(weight, base, last, tensors, quantization)) is not None:
            return packed
    return math.prod(weight.shape) if weight.dtype.startswith(("F", "BF")) else 0


def _packed(
    weight: Weight, base: str, last: str, tensors: Mapping[str, Weight], quantization: Quantization
) -> int | None:
    if last == "q_weight":  # EXL2: rows of varying widths; the permutation has one entry for each input
        order = tensors.get(f"{base}.q_invperm") or tensors.get(f"{base}.q_perm")
        return math.prod(order.shape) * weight.shape[-1] if order and weight.shape else 0
    if last == "trellis":  # EXL3: tiles of 16 by 16
        return math.prod(weight.shape[:2]) * 256
    if not (last in PACKED or last.endswith("_blocks")) or weight.dtype not in ("I32", "U32", "U8", "I8"):
        return None
    stored, bits = {"I32": 32, "U32": 32}.get(weight.dtype, 8), quantization.bits
    return math.prod(weight.shape) * stored // bits if bits and weight.dtype != "I8" else math.prod(weight.shape)
