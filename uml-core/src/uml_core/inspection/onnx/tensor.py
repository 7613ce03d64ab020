"""One tensor: its name, type and dimensions, and where its data is; the data itself stays in the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from uml_core.inspection.file import shown
from uml_core.inspection.onnx.tables import DATA_TYPES
from uml_core.inspection.onnx.wire import Malformed, Wire, check_unread, packed, signed

DIMENSIONS = 64
ENTRIES = 64
TENSOR_FIELDS = frozenset(range(1, 17))
UNREAD = frozenset((0x1A, 0x22, 0x25, 0x2A, 0x28, 0x32, 0x3A, 0x38, 0x52, 0x51, 0x5A, 0x58, 0x62, 0x82))
"""Tags of data and of notes; numbers may be packed or one by one."""

SPARSE_FIELDS = frozenset((1, 2, 3))
ENTRY_FIELDS = frozenset((1, 2))


class Place(NamedTuple):
    """Data in another file; ``location`` is as the file names it, and ``length`` None if it doesn't say."""

    location: str
    offset: int
    length: int | None


class Tensor(NamedTuple):
    """``size_bytes`` is what the data takes by type and dimensions; ``place`` is None if it's in this file."""

    name: str
    type: str
    dimensions: tuple[int, ...]
    elements: int
    size_bytes: int
    place: Place | None = None


def read_tensor(wire: Wire, start: int, stop: int) -> Tensor:  # noqa: C901 - a call for each field would double the time
    """Read a ``TensorProto``.

    :raises Malformed: it has no known type, dimensions that can't be, or other data than these
    """
    dimensions: list[int] = []
    name, type, raw, external, entries = "", 0, None, 0, []
    for tag, value, end in wire.fields(start, stop):
        if tag == 0x08:
            dimensions.append(value if value < 2**63 else signed(value))
        elif tag == 0x0A:
            dimensions += map(signed, packed(wire.read(value, end)))
        elif tag == 0x10:
            type = value
        elif tag == 0x42:
            name = wire.text(value, end)
        elif tag == 0x4A:
            raw = end - value
        elif tag == 0x6A:
            entries.append((value, end))
            if len(entries) > ENTRIES:
                raise Malformed(f"tensor '{shown(name)}' says in more than {ENTRIES} words where its data is")
        elif tag == 0x70:
            external = value & 2**32 - 1
        elif tag not in UNREAD:
            check_unread(tag, TENSOR_FIELDS, "a tensor")
    tensor = _tensor(name, type, dimensions)
    if external == 1:
        return tensor._replace(place=_place(name, dict(_entries(wire, entries))))
    if raw is not None and raw != tensor.size_bytes:
        raise Malformed(f"tensor '{shown(name)}' needs {tensor.size_bytes} bytes, but {raw} are there")
    return tensor


def read_sparse_tensor(wire: Wire, start: int, stop: int) -> Iterator[Tensor]:
    """The tensors that a ``SparseTensorProto`` is made of: its values and their indices."""
    for tag, value, end in wire.fields(start, stop):
        if tag in (0x0A, 0x12):
            yield read_tensor(wire, value, end)
        elif tag not in (0x18, 0x1A):
            check_unread(tag, SPARSE_FIELDS, "a sparse tensor")


def read_entry(wire: Wire, start: int, stop: int, *, most: int) -> tuple[str, str]:
    """Read a ``StringStringEntryProto``."""
    key = value = ""
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x0A:
            key = wire.text(begin, end)
        elif tag == 0x12:
            value = wire.text(begin, end, most=most)
        else:
            check_unread(tag, ENTRY_FIELDS, "an entry")
    return key, value


def _tensor(name: str, type: int, dimensions: list[int]) -> Tensor:
    if type not in DATA_TYPES:
        raise Malformed(f"tensor '{shown(name)}' has the type {type}, which this version of UML doesn't know")
    if len(dimensions) > DIMENSIONS:
        raise Malformed(f"tensor '{shown(name)}' has more than {DIMENSIONS} dimensions")
    elements = math.prod(dimensions)
    if min(dimensions, default=0) < 0 or elements >= 2**63:
        raise Malformed(f"tensor '{shown(name)}' can't have the shape {tuple(dimensions)}")
    type_name, bits = DATA_TYPES[type]
    return Tensor(name, type_name, tuple(dimensions), elements, (elements * bits + 7) // 8)


def _entries(wire: Wire, entries: list[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    for start, stop in entries:
        yield read_entry(wire, start, stop, most=4096)


def _place(name: str, entries: dict[str, str]) -> Place:
    length = entries.get("length")
    return Place(
        entries.get("location", ""),
        _count(name, entries.get("offset", "0")),
        None if length is None else _count(name, length),
    )


def _count(name: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        raise Malformed(f"tensor '{shown(name)}' says that its data is at '{shown(digits)}', which is no number")
    return int(digits)
