"""Write a small GGUF file: for tests of formats, stores and plans, and for a kit's models that nothing can load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import pack

from uml_core.inspection.gguf.tables import TENSOR_TYPES

_STRING, _ARRAY = 8, 9
_SCALARS = {
    "uint8": (0, "<B"),
    "int8": (1, "<b"),
    "uint16": (2, "<H"),
    "int16": (3, "<h"),
    "uint32": (4, "<I"),
    "int32": (5, "<i"),
    "float32": (6, "<f"),
    "bool": (7, "<?"),
    "uint64": (10, "<Q"),
    "int64": (11, "<q"),
    "float64": (12, "<d"),
}
_ALIGNMENT = 32
_TENSOR_TYPES = {name: (number, elements, size) for number, (name, elements, size) in TENSOR_TYPES.items()}


def write_gguf(
    path: Path,
    metadata: Mapping[str, object] | None = None,
    *,
    tensors: Mapping[str, Sequence[int]] | None = None,
    types: Mapping[str, str] | None = None,
    tensor_types: Mapping[str, str] | None = None,
) -> Path:
    """Write *path*, version 3, and give it back.

    The data is a hole in the file where the file system has holes: a model of any size takes no room.

    :param metadata: bools, ints (as uint32), floats (as float32), strings, and lists of one of these
    :param tensors: the dimensions of each tensor; the values are zero bytes
    :param types: another type than the usual one for the values (or elements) of some keys, by GGUF's names
    :param tensor_types: another type than F32 for some tensors, by GGUF's names (``Q4_K``)
    """
    metadata, tensors, types, tensor_types = metadata or {}, tensors or {}, types or {}, tensor_types or {}
    head = [pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))]
    head += (_string(key) + _entry(value, types.get(key)) for key, value in metadata.items())
    offset = 0
    for name, dimensions in tensors.items():
        number, block_elements, block_bytes = _TENSOR_TYPES[tensor_types.get(name, "F32")]
        head.append(_string(name) + pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, number, offset))
        offset = _aligned(offset + math.prod(dimensions) // block_elements * block_bytes)
    with path.open("wb") as file:
        file.write(b"".join(head))
        file.truncate(_aligned(file.tell()) + offset)
    return path


def _aligned(length: int) -> int:
    return -(-length // _ALIGNMENT) * _ALIGNMENT


def _string(text: str) -> bytes:
    return pack("<Q", len(text.encode())) + text.encode()


def _entry(value: object, type: str | None) -> bytes:
    if not isinstance(value, (list, tuple)):
        type = type or _usual(value)
        return pack("<I", _number(type)) + _value(value, type)
    type = type or _usual(value[0])
    start = pack("<IIQ", _ARRAY, _number(type), len(value))
    if type == "string":
        return start + b"".join(map(_string, value))
    return start + pack(f"<{len(value)}{_SCALARS[type][1][1:]}", *value)


def _usual(value: object) -> str:
    return {bool: "bool", int: "uint32", float: "float32", str: "string"}[value.__class__]


def _number(type: str) -> int:
    return _STRING if type == "string" else _SCALARS[type][0]


def _value(value: object, type: str) -> bytes:
    return _string(str(value)) if type == "string" else pack(_SCALARS[type][1], value)
