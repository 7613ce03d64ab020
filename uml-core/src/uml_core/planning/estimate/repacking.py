"""Which weights llama.cpp keeps a second time on the processor, in an order that its instructions like better."""

from __future__ import annotations

import platform
from collections.abc import Collection

from uml_core.types import Shape

AVX2 = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
AVX512 = AVX2 | {"Q2_K"}
NEON = AVX2 | {"Q5_K", "Q6_K", "Q8_0"}
"""Types of matrices that are repacked with these instructions (ggml's CPU backend)."""
BITS = {"Q4_0": 4.5, "Q4_K": 4.5, "IQ4_NL": 4.5, "MXFP4": 4.25, "Q2_K": 2.625, "Q5_K": 5.5, "Q6_K": 6.5625, "Q8_0": 8.5}


def repacked_bytes(shape: Shape, isa: Collection[str] | None) -> int:
    """How much there is twice, of layers and output; a processor without such instructions repacks nothing.

    :param isa: the instruction sets of the processor; none: unknown, and the usual ones of this machine count
    """
    types = _repacked_types(isa)
    found = sum(size_bytes for type, size_bytes in shape.type_bytes if type in types)
    return found + (shape.input_bytes if repacks_output(shape, isa) else 0)


def repacks_output(shape: Shape, isa: Collection[str] | None) -> bool:
    """Whether the embedding, which is the output as well, is repacked as that: then there are two of it anyway."""
    elements = shape.embedding_length * shape.vocabulary_size
    if not shape.tied or not elements:
        return False
    return any(BITS[type] == shape.input_bytes * 8 / elements for type in _repacked_types(isa))


def _repacked_types(isa: Collection[str] | None) -> frozenset[str]:
    if not isa:
        isa = ("avx2",) if platform.machine().lower() in ("x86_64", "amd64") else ("neon",)
    if "neon" in isa:
        return NEON
    return AVX512 if "avx512f" in isa else AVX2 if "avx2" in isa else frozenset()
