"""The header of one safetensors file: eight bytes of length, then JSON that says where each tensor lies.

Source: https://github.com/huggingface/safetensors (README, ``safetensors/src/tensor.rs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import open_model_file, shown
from uml_core.inspection.huggingface.parameters import Weight
from uml_core.inspection.json_file import NotJSON, parse_json

LENGTH_BYTES = 8
FORMAT_HEADER_BYTES = 100_000_000
HEADER_BYTES = 24 * 2**20
"""What is read of the 100 MB that the format allows: 200 000 tensors. JSON of 100 MB can take a gigabyte of memory."""

HEADER_MARKS = 16 * 200_000
TENSORS = 200_000
DIMENSIONS = 64
ELEMENTS = 2**63
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""The width of each type."""

IMPOSTORS = {
    b"PK\x03\x04": "a zip archive, as PyTorch's checkpoints are",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"GGUF": "a GGUF file",
    b"version https://git-lfs": "a Git LFS pointer, not the file that it stands for",
}


class Malformed(Exception):
    """The bytes break the format; the text is the reason, without the file's name."""


@frozen(kw_only=True)
class Header:
    """``data_offset`` is where the data starts in the file."""

    weights: tuple[Weight, ...] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
    data_offset: int
    size_bytes: int


def read_header(path: Path) -> Header:
    """Read and check the header of *path*, bounded in time and memory.

    :raises InvalidModelFileError: the file can't be read, breaks the format, or is shorter than its header says
    """
    with open_model_file(path) as (file, size_bytes):
        try:
            start = file.read(LENGTH_BYTES + 16)
            length = _length(start, size_bytes)
            file.seek(LENGTH_BYTES)
            return parse_header(file.read(length), size_bytes=size_bytes)
        except Malformed as error:
            raise InvalidModelFileError(
                f"'{shown(path.name)}' is not a usable safetensors file: {error}; download it again"
            ) from None


def looks_like_header(head: bytes) -> bool:
    """Whether a file that starts with *head* could be in this format."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= FORMAT_HEADER_BYTES


def parse_header(data: bytes, *, size_bytes: int) -> Header:
    """Read the JSON *data* of a file of *size_bytes*.

    :raises Malformed: it breaks the format
    """
    try:
        entries = parse_json(data, most_marks=HEADER_MARKS, constants=False)
    except NotJSON as error:
        raise Malformed(f"its header can't be read: {error}") from None
    if not isinstance(entries, dict) or len(entries) > TENSORS:
        raise Malformed(f"its header is no object of at most {TENSORS} tensors")
    metadata = _metadata(entries.pop("__metadata__", None))
    offset = LENGTH_BYTES + len(data)
    weights = _tensors(entries, size_bytes - offset)
    return Header(weights=weights, metadata=metadata, data_offset=offset, size_bytes=size_bytes)


def _length(start: bytes, size_bytes: int) -> int:
    for mark, what in IMPOSTORS.items():
        if start.startswith(mark):
            raise Malformed(f"it is {what}, whatever its name says")
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if len(start) < LENGTH_BYTES or length > size_bytes - LENGTH_BYTES:
        raise Malformed(f"its header is said to have {length} bytes, but the file has {size_bytes}: it was cut off")
    if length > HEADER_BYTES:
        raise Malformed(f"its header is said to have {length} bytes, more than the {HEADER_BYTES} that UML reads")
    if start[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        raise Malformed("its header does not start with '{'")
    return length


def _metadata(told: Any) -> dict[str, str]:
    if told is None:
        return {}
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise Malformed("its '__metadata__' is not an object of texts")
    return told


def _tensors(entries: dict[str, Any], data_bytes: int) -> tuple[Weight, ...]:
    """Check that the tensors fill the data from its first byte to its last, as the format demands.

    An engine that trusts an offset reads memory that is not the file's.
    """
    found = sorted(((*_place(name, entry), name) for name, entry in entries.items()), key=lambda place: place[:2])
    end = 0
    weights = []
    for start, stop, dtype, shape, name in found:
        if start != end:
            raise Malformed(f"tensor '{shown(name)}' overlaps another one, or leaves a hole before it")
        end = stop
        weights.append(Weight(name, dtype, shape, stop - start))
    if end > data_bytes:
        raise Malformed(f"its tensors need {end} bytes, but only {data_bytes} are there: it was cut off")
    if end < data_bytes:
        raise Malformed(f"{data_bytes - end} bytes of it belong to no tensor")
    return tuple(weights)


def _place(name: str, entry: Any) -> tuple[int, int, str, tuple[int, ...]]:
    try:
        dtype, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
        bits = BITS[dtype]
    except (TypeError, KeyError, ValueError):
        raise Malformed(f"tensor '{shown(name)}' lacks a known type, a shape or two offsets") from None
    if not isinstance(shape, list) or len(shape) > DIMENSIONS:
        raise Malformed(f"tensor '{shown(name)}' has no usable shape")
    for length in shape:
        if type(length) is not int or not 0 <= length < ELEMENTS:
            raise Malformed(f"tensor '{shown(name)}' has no usable shape")
        bits *= length
    if type(start) is not int or type(stop) is not int or not 0 <= start <= stop < ELEMENTS:
        raise Malformed(f"tensor '{shown(name)}' has offsets that no file can have")
    if bits != (stop - start) * 8:
        raise Malformed(f"tensor '{shown(name)}' has {stop - start} bytes, which is not what its shape and type need")
    return start, stop, dtype, tuple(shape)
