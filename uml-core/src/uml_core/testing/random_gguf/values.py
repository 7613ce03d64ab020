"""Random values for tensors, such that a calculation with them stays finite."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from random import Random
from struct import pack
from typing import BinaryIO

from uml_core.inspection.gguf.tensors import Tensor

ELEMENTS = 2**14
"""After so many the values are repeated: to make them takes longer than to write them."""

SPREAD = 0.02
SCALE = pack("<e", SPREAD / 64)
SMALL_SCALE = pack("<e", SPREAD / 1024)


def write_values(file: BinaryIO, tensor: Tensor, random: Random) -> None:
    """Write the data of *tensor* at the place where *file* is; gains are 1, and what decays is negative.

    :raises ValueError: there is no recipe for tensors of its type
    """
    name = tensor.name.removesuffix(".weight")
    if tensor.type not in TILES:
        raise ValueError(f"values of the type {tensor.type} can't be made; there are {', '.join(TILES)}")
    if tensor.type == "F32" and name.endswith(("_norm", "ssm_a", "ssm_d")):
        tile = pack("<f", -1.0 if name.endswith("ssm_a") else 1.0) * min(tensor.elements, ELEMENTS)
    else:
        tile = TILES[tensor.type](random)
    left = tensor.size_bytes
    for part in islice(cycle((tile,)), -(-left // len(tile))):
        file.write(part[:left])
        left -= len(part)


def _numbers(layout: str) -> Callable[[Random], bytes]:
    def tile(random: Random) -> bytes:
        return pack(f"<{ELEMENTS}{layout}", *(random.gauss(0, SPREAD) for _ in range(ELEMENTS)))

    return tile


def _shortened(random: Random) -> bytes:
    """BF16: the upper half of 32 bits."""
    numbers = _numbers("f")(random)
    return b"".join(numbers[place + 2 : place + 4] for place in range(0, len(numbers), 4))


def _blocks(elements: int, start: bytes, random_bytes: int, end: bytes = b"") -> Callable[[Random], bytes]:
    """Blocks of random bytes with fixed scales at their start and their end."""

    def tile(random: Random) -> bytes:
        return b"".join(start + random.randbytes(random_bytes) + end for _ in range(ELEMENTS // elements))

    return tile


TILES: dict[str, Callable[[Random], bytes]] = {
    "F32": _numbers("f"),
    "F16": _numbers("e"),
    "BF16": _shortened,
    "Q4_0": _blocks(32, SCALE, 16),
    "Q4_1": _blocks(32, SCALE + pack("<e", -8 * SPREAD / 64), 16),
    "Q5_0": _blocks(32, SCALE, 20),
    "Q8_0": _blocks(32, SMALL_SCALE, 32),
    "Q4_K": _blocks(256, SMALL_SCALE + pack("<e", SPREAD / 128), 140),
    "Q6_K": _blocks(256, b"", 208, SMALL_SCALE),
    "MXFP4": _blocks(32, bytes((120,)), 16),
}
