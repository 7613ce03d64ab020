"""The header of one GGUF file: version, metadata and tensor infos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from struct import Struct

from attrs import field, frozen

from uml_core.inspection.file import shown
from uml_core.inspection.gguf.cursor import Cursor, Malformed, open_cursor
from uml_core.inspection.gguf.tensors import Tensor, check_places, read_name, read_tensors
from uml_core.inspection.gguf.values import read_value

MAGIC = b"GGUF"
START = Struct("<4sIQQ")
VERSIONS = (2, 3)
KEYS = 65_536
SMALLEST_ENTRY_BYTES = 8 + 1 + 4 + 1
VALUE_TYPE = Struct("<I")


@frozen(kw_only=True)
class Header:
    """What stands before the data; ``data_offset`` is where the data starts in the file."""

    version: int
    metadata: Mapping[str, object] = field(repr=False)
    tensors: tuple[Tensor, ...] = field(repr=False)
    data_offset: int
    size_bytes: int


def read_header(path: Path) -> Header:
    """Read and check the header of *path*, bounded in time and memory.

    :raises InvalidModelFileError: the file can't be read, breaks the format, or is shorter than its header says
    """
    with open_cursor(path) as cursor:
        return parse_header(cursor)


def parse_header(cursor: Cursor) -> Header:
    """Read a header from its first byte on.

    :raises Malformed: it breaks the format
    """
    magic, version, tensor_count, key_count = cursor.unpack(START)
    if magic != MAGIC:
        raise Malformed(f"it does not start with {MAGIC.decode()}")
    _check_version(version)
    metadata = _read_metadata(cursor, key_count)
    tensors = read_tensors(cursor, tensor_count)
    alignment = _alignment(metadata)
    data_offset = -(-cursor.position // alignment) * alignment
    check_places(tensors, alignment=alignment, data_bytes=cursor.size_bytes - data_offset)
    return Header(
        version=version, metadata=metadata, tensors=tensors, data_offset=data_offset, size_bytes=cursor.size_bytes
    )


def _check_version(version: int) -> None:
    if version & 0xFFFF == 0 and version:
        raise Malformed("it is big-endian, made for another kind of processor; get the little-endian one")
    if version not in VERSIONS:
        raise Malformed(f"it has version {version} of the format; UML reads versions 2 and 3")


def _read_metadata(cursor: Cursor, count: int) -> dict[str, object]:
    if count > KEYS or count * SMALLEST_ENTRY_BYTES > cursor.remaining:
        raise Malformed(f"it is said to have {count} keys, which is more than it can hold")
    metadata: dict[str, object] = {}
    for _ in range(count):
        key = read_name(cursor, "key")
        if key in metadata:
            raise Malformed(f"the key '{shown(key)}' is there twice")
        (type,) = cursor.unpack(VALUE_TYPE)
        metadata[key] = read_value(cursor, type)
    return metadata


def _alignment(metadata: Mapping[str, object]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 8 <= alignment <= 65_536 or alignment & (alignment - 1):
        raise Malformed(f"its alignment is {shown(repr(alignment))}, not a power of two from 8 to 65536")
    return alignment
