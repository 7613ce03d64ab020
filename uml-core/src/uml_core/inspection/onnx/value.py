"""An input or an output of a graph: its name, type and dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from uml_core.inspection.onnx.tables import DATA_TYPES
from uml_core.inspection.onnx.wire import Malformed, Wire, check_unread, signed

DIMENSIONS = 64
VALUE_FIELDS = frozenset((1, 2, 3, 4))
TYPE_FIELDS = frozenset((1, 4, 5, 6, 7, 8, 9))
TENSOR_TYPE_FIELDS = DIMENSION_FIELDS = frozenset((1, 2, 3))
OTHER_TYPES = {0x22: "sequence", 0x2A: "map", 0x3A: "opaque", 0x42: "sparse tensor", 0x4A: "optional"}

Dimension = int | str
"""A length, or the name of one that is only known when the model runs; an empty name where there is none."""


class Value(NamedTuple):
    """``type`` is that of the elements of a tensor; ``dimensions`` are None where the file doesn't say how many."""

    name: str
    type: str = ""
    dimensions: tuple[Dimension, ...] | None = None

    def __str__(self) -> str:
        sizes = "" if self.dimensions is None else f"[{', '.join(str(size) or '?' for size in self.dimensions)}]"
        return f"{self.name}: {self.type or '?'}{sizes}"


def read_value(wire: Wire, start: int, stop: int) -> Value:
    """Read a ``ValueInfoProto``.

    :raises Malformed: it is no such message
    """
    value = Value("")
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x0A:
            value = value._replace(name=wire.text(begin, end))
        elif tag == 0x12:
            value = _typed(wire, begin, end, value)
        elif tag not in (0x1A, 0x22):
            check_unread(tag, VALUE_FIELDS, "an input or output")
    return value


def _typed(wire: Wire, start: int, stop: int, value: Value) -> Value:
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x0A:
            value = _tensor(wire, begin, end, value)
        elif tag in OTHER_TYPES:
            value = value._replace(type=OTHER_TYPES[tag], dimensions=None)
        elif tag != 0x32:
            check_unread(tag, TYPE_FIELDS, "a type")
    return value


def _tensor(wire: Wire, start: int, stop: int, value: Value) -> Value:
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x08:
            value = value._replace(type=DATA_TYPES.get(begin, ("", 0))[0])
        elif tag == 0x12:
            value = value._replace(dimensions=tuple(_dimensions(wire, begin, end)))
        else:
            check_unread(tag, TENSOR_TYPE_FIELDS, "a tensor's type")
    return value


def _dimensions(wire: Wire, start: int, stop: int) -> Iterator[Dimension]:
    for count, (tag, begin, end) in enumerate(wire.fields(start, stop)):
        if count == DIMENSIONS:
            raise Malformed(f"an input or output has more than {DIMENSIONS} dimensions")
        if tag == 0x0A:
            yield _dimension(wire, begin, end)
        else:
            check_unread(tag, (1,), "a shape")


def _dimension(wire: Wire, start: int, stop: int) -> Dimension:
    size: Dimension = ""
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x08:
            size = signed(begin)
        elif tag == 0x12:
            size = wire.text(begin, end)
        elif tag != 0x1A:
            check_unread(tag, DIMENSION_FIELDS, "a dimension")
    return size
