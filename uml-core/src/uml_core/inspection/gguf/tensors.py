"""The tensor infos: what lies where in the data, checked against the size of the file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from uml_core.inspection.file import shown
from uml_core.inspection.gguf.cursor import Cursor, Malformed
from uml_core.inspection.gguf.tables import TENSOR_TYPES

TENSORS = 200_000
NAME_BYTES = 65_535
SMALLEST_INFO_BYTES = 8 + 1 + 4 + 8 + 4 + 8
DIMENSION_COUNT = Struct("<I")
PLACES = tuple(Struct(f"<{count}QIQ") for count in range(5))
"""Dimensions, type and offset of a tensor of 0 to 4 dimensions."""


class Tensor(NamedTuple):
    """One tensor; ``offset`` counts from the start of the data."""

    name: str
    dimensions: tuple[int, ...]
    type: str
    elements: int
    offset: int
    size_bytes: int


def read_name(cursor: Cursor, what: str) -> str:
    """Read a key or a tensor's name: not empty, and UTF-8."""
    length = cursor.length(NAME_BYTES, f"the name of a {what}")
    if not length:
        raise Malformed(f"the name of a {what} is empty")
    try:
        return cursor.take(length).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"the name of a {what} is not UTF-8") from None


def read_tensors(cursor: Cursor, count: int) -> tuple[Tensor, ...]:
    """Read *count* tensor infos."""
    if count > TENSORS or count * SMALLEST_INFO_BYTES > cursor.remaining:
        raise Malformed(f"it is said to have {count} tensors, which is more than it can hold")
    tensors = {tensor.name: tensor for tensor in (_read_tensor(cursor) for _ in range(count))}
    if len(tensors) < count:
        raise Malformed("two of its tensors have the same name")
    return tuple(tensors.values())


def _read_tensor(cursor: Cursor) -> Tensor:
    name = read_name(cursor, "tensor")
    (count,) = cursor.unpack(DIMENSION_COUNT)
    if not 1 <= count <= 4:
        raise Malformed(f"tensor '{shown(name)}' has {count} dimensions, not 1 to 4")
    *dimensions, type, offset = cursor.unpack(PLACES[count])
    if type not in TENSOR_TYPES:
        raise Malformed(f"tensor '{shown(name)}' has the type {type}, which this version of UML doesn't know")
    type_name, block_elements, block_bytes = TENSOR_TYPES[type]
    elements = math.prod(dimensions)
    if not 0 < elements < 2**63 or dimensions[0] % block_elements:
        raise Malformed(f"tensor '{shown(name)}' can't have the shape {tuple(dimensions)} as {type_name}")
    size_bytes = elements // block_elements * block_bytes
    return Tensor(name, tuple(dimensions), type_name, elements, offset, size_bytes)


def check_places(tensors: Iterable[Tensor], *, alignment: int, data_bytes: int) -> None:
    """Refuse tensors that are not aligned, that overlap, or that end after the file does.

    An engine that trusts an offset reads memory that is not the file's.
    """
    end = 0
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
        if tensor.offset % alignment:
            raise Malformed(f"tensor '{shown(tensor.name)}' is not aligned to {alignment} bytes")
        if tensor.offset < end:
            raise Malformed(f"tensor '{shown(tensor.name)}' overlaps another one")
        end = tensor.offset + tensor.size_bytes
    if end > max(data_bytes, 0):
        raise Malformed(f"its tensors need {end} bytes, but only {max(data_bytes, 0)} are there: it was cut off")
