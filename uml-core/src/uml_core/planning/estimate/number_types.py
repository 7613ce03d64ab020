"""How many bytes the numbers of a cache take, by the names that llama.cpp has for their types."""

from __future__ import annotations

from uml_core.errors import BadRequestError

BYTES = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q5_1": 24 / 32,
    "q5_0": 22 / 32,
    "q4_1": 20 / 32,
    "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}
"""Blocks of 32 numbers, with one or two scales of 16 bits (ggml)."""


def number_bytes(type: str) -> float:
    """What one number takes.

    :raises BadRequestError: there is no such type
    """
    if (size := BYTES.get(type.lower())) is None:
        raise BadRequestError(f"'{type}' is no number type of a cache; use one of {', '.join(BYTES)}")
    return size
