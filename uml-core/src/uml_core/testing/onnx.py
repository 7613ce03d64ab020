"""Write a small ONNX file: for tests of formats, stores and plans, and for a kit's models that nothing can load."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from struct import pack

from uml_core.inspection.onnx.tables import DATA_TYPES

_NUMBERS = {name: number for number, (name, _) in DATA_TYPES.items()}
_BITS = dict(DATA_TYPES.values())
_USUAL = "float32"
_INT = 2

Node = tuple[str, Sequence[str], Mapping[str, int]]
Place = tuple[str, int, int | None]


def write_onnx(
    path: Path,
    *,
    inputs: Mapping[str, Sequence[int | str]] | None = None,
    outputs: Mapping[str, Sequence[int | str]] | None = None,
    tensors: Mapping[str, Sequence[int]] | None = None,
    types: Mapping[str, str] | None = None,
    places: Mapping[str, Place] | None = None,
    nodes: Iterable[Node] = (("MatMul", ("x", "w"), {}),),
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write *path*, IR version 8 and operator set 17, and give it back.

    :param inputs: the dimensions of each input; a text is the name of one that isn't fixed
    :param tensors: the dimensions of each initializer; the values are zeros
    :param types: another type than ``float32`` for the elements of some of these, by their names
    :param places: location, offset and length of the data of tensors that are in other files; None leaves length out
    :param nodes: operator, inputs, and attributes that are integers
    """
    types, places = types or {}, places or {}
    graph = [field(1, _node(*node)) for node in nodes]
    graph.append(field(2, "graph"))
    for name, dimensions in (tensors or {}).items():
        graph.append(field(5, tensor(name, dimensions, type=types.get(name, _USUAL), place=places.get(name))))
    for number, values in ((11, inputs), (12, outputs)):
        for name, sizes in (values or {}).items():
            graph.append(field(number, _value(name, sizes, types.get(name, _USUAL))))
    path.write_bytes(model(b"".join(graph), metadata=metadata))
    return path


def model(graph: bytes, *, metadata: Mapping[str, str] | None = None) -> bytes:
    """A ``ModelProto`` around *graph*."""
    notes = b"".join(field(14, _entry(key, value)) for key, value in (metadata or {}).items())
    return field(1, 8) + field(2, "uml") + field(7, graph) + field(8, field(1, "") + field(2, 17)) + notes


def tensor(name: str, dimensions: Sequence[int], *, type: str = _USUAL, place: Place | None = None) -> bytes:
    """A ``TensorProto`` of zeros, or one whose data is elsewhere."""
    head = b"".join(field(1, size) for size in dimensions) + field(2, _NUMBERS[type]) + field(8, name)
    if place is None:
        return head + field(9, bytes(-(-math.prod(dimensions) * _BITS[type] // 8)))
    location, offset, length = place
    entries = {"location": location, "offset": str(offset)} | ({} if length is None else {"length": str(length)})
    return head + b"".join(field(13, _entry(key, value)) for key, value in entries.items()) + field(14, 1)


def field(number: int, value: str | bytes | float) -> bytes:
    """One field of a message: a varint, a text or a message, or a float of 4 bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value % 2**64)
    if isinstance(value, float):
        return varint(number << 3 | 5) + pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """The encoding of a number that is not negative."""
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*data, value))


def _node(operator: str, inputs: Sequence[str], attributes: Mapping[str, int]) -> bytes:
    start = b"".join(field(1, name) for name in inputs) + field(2, f"{operator}_out") + field(4, operator)
    return start + b"".join(
        field(5, field(1, key) + field(3, value) + field(20, _INT)) for key, value in attributes.items()
    )


def _value(name: str, sizes: Sequence[int | str], type: str) -> bytes:
    shape = b"".join(field(1, field(1 if isinstance(size, int) else 2, size)) for size in sizes)
    return field(1, name) + field(2, field(1, field(1, _NUMBERS[type]) + field(2, shape)))


def _entry(key: str, value: str) -> bytes:
    return field(1, key) + field(2, value)
