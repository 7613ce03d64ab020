"""The numbers that ONNX files hold in place of names (``onnx.proto`` of https://github.com/onnx/onnx)."""

from __future__ import annotations

DATA_TYPES: dict[int, tuple[str, int]] = {
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    8: ("string", 0),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    14: ("complex64", 64),
    15: ("complex128", 128),
    16: ("bfloat16", 16),
    17: ("float8e4m3fn", 8),
    18: ("float8e4m3fnuz", 8),
    19: ("float8e5m2", 8),
    20: ("float8e5m2fnuz", 8),
    21: ("uint4", 4),
    22: ("int4", 4),
    23: ("float4e2m1", 4),
    24: ("float8e8m0", 8),
    25: ("uint2", 2),
    26: ("int2", 2),
}
"""Name and bits an element of each type; strings have no fixed width."""

SCHEMES = {
    "float64": "FP64",
    "float32": "FP32",
    "float16": "FP16",
    "bfloat16": "BF16",
    "float8e4m3fn": "FP8",
    "float8e4m3fnuz": "FP8",
    "float8e5m2": "FP8",
    "float8e5m2fnuz": "FP8",
    "float4e2m1": "FP4",
    "uint8": "int8",
    "int8": "int8",
    "uint4": "int4",
    "int4": "int4",
    "uint2": "int2",
    "int2": "int2",
}
"""The types that weights come in, and the name of the scheme; what else a graph holds are shapes and indices."""

WITH_GRAPHS = frozenset(
    ("If", "Loop", "Scan", "SequenceMap", "BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch")
)
"""Operators whose attributes hold graphs, of ONNX and of ``com.microsoft``."""

SCALES: dict[str, tuple[int, ...]] = {
    "DequantizeLinear": (1, 2),
    "QuantizeLinear": (1, 2),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "ConvInteger": (2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "MatMulNBits": (2, 3, 4),
    "MatMulBnb4": (2,),
    "GatherBlockQuantized": (2, 3),
    "QMoE": (3, 6, 9, 11, 12, 13),
}
"""Which inputs of an operator say how its weights are quantized, and are none themselves."""

PACKED: dict[str, tuple[tuple[int, ...], str, int]] = {
    "MatMulNBits": ((1,), "bits", 4),
    "MatMulBnb4": ((1,), "bits", 4),
    "GatherBlockQuantized": ((0,), "bits", 4),
    "QMoE": ((2, 5, 8), "expert_weight_bits", 4),
}
"""Which inputs of an operator are weights packed into bytes, the attribute that says how many bits, and its default."""

BNB_TYPES = {0: "bnb-fp4", 1: "bnb-nf4"}
"""``quant_type`` of ``MatMulBnb4``."""

ATTENTION = {
    "GroupQueryAttention": ("num_heads", "kv_num_heads"),
    "SparseAttention": ("num_heads", "kv_num_heads"),
    "Attention": ("q_num_heads", "kv_num_heads"),
    "MultiHeadAttention": ("num_heads", "num_heads"),
}
"""Operators that say how many query heads and key heads they have, and the attributes that they say it by."""

LOOKED_INTO = frozenset((*SCALES, *PACKED, *ATTENTION, *WITH_GRAPHS, "Constant"))
