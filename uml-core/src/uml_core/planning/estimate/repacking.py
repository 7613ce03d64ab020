"""Which weights llama.cpp keeps a second time on the processor, in an order that its instructions like better."""

from __future__ import annotations

import platform

from uml_core.types import ModelCard

X86 = {"Q4_0": 1.0, "IQ4_NL": 1.0, "MXFP4": 1.0, "MXFP4_MOE": 1.0, "Q4_K_S": 0.93, "Q4_K_M": 0.8, "Q4_K": 0.8}
"""The part of a block that is of types which are repacked with AVX2, by the name of the mixture."""
ARM = X86 | dict.fromkeys(("Q8_0", "Q5_K_S", "Q5_K_M", "Q6_K", "Q4_K_S", "Q4_K_M", "Q4_K"), 1.0)
"""The same with NEON's dot products."""


def repacked_part(model: ModelCard) -> float:
    """How much of each block is repacked, 0 to 1; a machine without such instructions repacks nothing."""
    known = X86 if platform.machine().lower() in ("x86_64", "amd64") else ARM
    return known.get((model.quantization or "").upper(), 0.0)
