"""What a pickle describes, in place of the objects that loading it would make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from attrs import define, field, frozen

NAME_DEPTH = 32
NAME_CHARACTERS = 512
INNER = frozenset(("_parameters", "_modules", "_buffers"))
"""Where a module keeps its parts; their names don't say so."""

DTYPES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
    "ComplexDoubleStorage": "C128",
    "QInt8Storage": "I8",
    "QUInt8Storage": "U8",
    "QInt32Storage": "I32",
    "UntypedStorage": "U8",
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "complex64": "C64",
    "complex128": "C128",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
"""Classes of ``torch.storage`` and types of ``torch``, as safetensors calls what they hold."""

BYTES = {
    "C128": 16,
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "C64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
}
"""Bytes of one element; 1 for the others."""


class Global(NamedTuple):
    """A class or a function that the pickle names. It's never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@frozen(eq=False)
class Storage:
    """Numbers of the type *dtype* that lie outside the pickle, under *key*."""

    dtype: str
    key: str
    elements: int

    @property
    def size_bytes(self) -> int:
        return self.elements * BYTES.get(self.dtype, 1)


@frozen(eq=False)
class Tensor:
    """A view of a storage."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@define(eq=False)
class Made:
    """An object that calling *by* would make; ``parts`` are what it was made of and what was put into it."""

    by: object
    parts: list[Any] = field(factory=list)


def tensors_in(root: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors that *root* leads to, by the path to them; each object is looked at once, so cycles end."""
    seen: set[int] = set()
    waiting = [("", iter([("", root)]))]
    while waiting:
        path, parts = waiting[-1]
        key, value = next(parts, (None, None))
        if key is None:
            waiting.pop()
        elif isinstance(value, (Tensor, dict, list, tuple, Made)) and id(value) not in seen:
            seen.add(id(value))
            inner = _join(path, key)
            if isinstance(value, Tensor):
                yield inner, value
            elif len(waiting) <= NAME_DEPTH:
                waiting.append((inner, _parts(value)))


def _parts(value: dict[Any, Any] | list[Any] | tuple[Any, ...] | Made) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        return (("" if key in INNER else str(key), part) for key, part in value.items())
    if isinstance(value, Made):
        return (("", part) for part in value.parts)
    return ((str(at), part) for at, part in enumerate(value))


def _join(path: str, key: str) -> str:
    return (f"{path}.{key}" if path and key else path or key)[:NAME_CHARACTERS]
