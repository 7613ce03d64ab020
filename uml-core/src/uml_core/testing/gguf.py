"""Write a small GGUF file: for tests of formats, stores and plans, and for a kit's models that nothing can load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import pack

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


def write_gguf(
    path: Path,
    metadata: Mapping[str, object] | None = None,
    *,
    tensors: Mapping[str, Sequence[int]] | None = None,
    types: Mapping[str, str] | None = None,
) -> Path:
    """Write *path*, version 3, and give it back.

    :param metadata: bools, ints (as uint32), floats (as float32), strings, and lists of one of these
    :param tensors: the dimensions of each tensor; the values are zeros of type F32
    :param types: another type than the usual one for the values (or elements) of some keys, by GGUF's names
    """
    metadata, tensors, types = metadata or {}, tensors or {}, types or {}
    head = pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    head += b"".join(_string(key) + _entry(value, types.get(key)) for key, value in metadata.items())
    offset = 0
    for name, dimensions in tensors.items():
        head += _string(name) + pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, 0, offset)
        offset = _aligned(offset + 4 * math.prod(dimensions))
    path.write_bytes(head.ljust(_aligned(len(head)), b"\0") + bytes(offset))
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
    return pack("<IIQ", _ARRAY, _number(type), len(value)) + b"".join(_value(element, type) for element in value)


def _usual(value: object) -> str:
    return {bool: "bool", int: "uint32", float: "float32", str: "string"}[value.__class__]


def _number(type: str) -> int:
    return _STRING if type == "string" else _SCALARS[type][0]


def _value(value: object, type: str) -> bytes:
    return _string(str(value)) if type == "string" else pack(_SCALARS[type][1], value)
