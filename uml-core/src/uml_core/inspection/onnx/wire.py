"""Walk over the fields of a protobuf message in a file, and read only those that somebody asks for.

Weights are skipped by seeking: a file of gigabytes costs the few kilobytes that describe them. The encoding is that of
https://protobuf.dev/programming-guides/encoding/; messages are named by the places where they start and stop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import open_model_file, shown

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
ENDS_UNKNOWN = (BYTES, VARINT)
WIDTHS = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10
TAG_AND_LENGTH = 2 * LONGEST_VARINT
FIRST_WINDOW_BYTES = 4096
WINDOW_BYTES = 64 * 2**10
LOADED_BYTES = 256 * 2**20
FIELDS = 1_500_000
TEXT_BYTES = 65_535
TEXTS_BYTES = 32 * 2**20
SHORT = "it ends within a number"

Field = tuple[int, int, int]
"""A tag (``number << 3 | wire type``), then where the bytes start and stop, or the number and 0."""


class Malformed(Exception):
    """The bytes break the format; the text is the reason, without the file's name."""


class Wire:
    """The bytes of *file*, *size_bytes* in all, seen through a window that moves."""

    def __init__(self, file: RawIOBase, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._file = file
        self.loaded_bytes = 0
        self._fields = 0
        self._texts_bytes = 0
        self._data = b""
        self._base = 0

    def window(self, start: int, length: int) -> tuple[bytes, int]:
        """Bytes from *start* on, at least *length* of them if the file has them, and the place of the first."""
        skipped = start - self._base
        if skipped < 0 or skipped + length > len(self._data):
            self._load(start, length, near=0 <= skipped <= len(self._data))
        return self._data, self._base

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """The fields of the message from *start* to *stop*, which may be followed into while this walks.

        :raises Malformed: the message is not made of fields, or the file is made of too many
        """
        data, base = self.window(start, TAG_AND_LENGTH)
        at, end, last = start - base, stop - base, len(data) - TAG_AND_LENGTH
        count, most = 0, FIELDS - self._fields  # what is small on a disk must not take minutes
        while at < end:  # most of the time of a header goes into this loop: no calls in what is usual
            if at > last and base + len(data) < self.size_bytes:
                data, fresh = self.window(base + at, TAG_AND_LENGTH)
                at, end, base, last = at + base - fresh, stop - fresh, fresh, len(data) - TAG_AND_LENGTH
            count += 1
            if count > most:
                raise Malformed(f"it describes itself in more than {FIELDS} fields")
            if at + 1 < end and data[at] < 0x80 and data[at + 1] < 0x80:
                tag, value = data[at], data[at + 1]
                kind = tag & 7
                at += 2 if kind in ENDS_UNKNOWN else 1
            else:
                tag, value, at = _start(data, at, end)
                kind = tag & 7
            if kind == BYTES:
                begin, at = at + base, at + value
                if at > end:
                    raise Malformed(f"a field of {value} bytes is longer than what holds it")
                yield tag, begin, at + base
            elif kind == VARINT:
                yield tag, value, 0
            else:
                begin, at = at + base, at + _width(kind)
                if at > end:
                    raise Malformed(SHORT)
                yield tag, begin, at + base
        self._fields += count

    def read(self, start: int, stop: int, *, most: int = TEXT_BYTES) -> bytes:
        """The bytes from *start* to *stop*.

        :raises Malformed: they are more than *most*, or not there any more
        """
        if stop - start > most:
            raise Malformed(f"a text in it is {stop - start} bytes long; at most {most} are allowed")
        data, base = self.window(start, stop - start)
        if base + len(data) < stop:
            raise Malformed("it became shorter while it was read")
        return data[start - base : stop - base]

    def text(self, start: int, stop: int, *, most: int = TEXT_BYTES) -> str:
        self._texts_bytes += stop - start
        if self._texts_bytes > TEXTS_BYTES:
            raise Malformed(f"it has more than {TEXTS_BYTES // 2**20} MiB of names")
        return self.read(start, stop, most=most).decode("utf-8", "replace")

    def _load(self, start: int, length: int, *, near: bool) -> None:
        """Read a window: a small one where the file was skipped over, for what comes next may be skipped too."""
        usual = min(2 * len(self._data), WINDOW_BYTES) if near else FIRST_WINDOW_BYTES
        self._file.seek(start)
        self._data, self._base = _read(self._file, max(length, usual, FIRST_WINDOW_BYTES)), start
        self.loaded_bytes += len(self._data)
        if self.loaded_bytes > LOADED_BYTES:
            raise Malformed(f"it describes itself in more than {LOADED_BYTES // 2**20} MiB")


@contextmanager
def open_wire(path: Path) -> Iterator[Wire]:
    """Open *path*.

    :raises InvalidModelFileError: it can't be opened, or what is done with the wire finds it malformed
    """
    try:
        with open_model_file(path) as (file, size_bytes):
            yield Wire(file, size_bytes)
    except Malformed as malformed:
        raise InvalidModelFileError(
            f"'{shown(path.name)}' is not a whole ONNX file: {malformed}; download it again"
        ) from None


def check_unread(tag: int, numbers: Collection[int], what: str) -> None:
    """Pass over a field that isn't read, unless it is one of *numbers* in a type that it can't have.

    :raises Malformed: it is, or it has no number
    """
    if tag < 8:
        raise Malformed(f"it has a field without a number in {what}")
    if tag >> 3 in numbers:
        raise Malformed(f"field {tag >> 3} of {what} has the wire type {tag & 7}")


def signed(value: int) -> int:
    """The int64 that a varint stands for."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def packed(data: bytes) -> Iterator[int]:
    """The varints of a packed field."""
    at = 0
    while at < len(data):
        value, at = varint(data, at, len(data))
        yield value


def _start(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Read a tag and, unless what follows is of a fixed width, the length or the number after it."""
    tag, at = varint(data, at, end)
    value = 0
    if tag & 7 in ENDS_UNKNOWN:
        value, at = varint(data, at, end)
    return tag, value, at


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at *at*, which ends before *end*, and where it ends."""
    value = 0
    for shift in range(0, 7 * LONGEST_VARINT, 7):
        if at >= end or at >= len(data):
            raise Malformed(SHORT)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Malformed(f"a number in it is longer than {LONGEST_VARINT} bytes")


def _width(kind: int) -> int:
    try:
        return WIDTHS[kind]
    except KeyError:
        raise Malformed(f"it has a field of the wire type {kind}, which no ONNX file has") from None


def _read(file: RawIOBase, length: int) -> bytes:
    data = file.read(length) or b""
    while len(data) < length and (more := file.read(length - len(data))):  # unbuffered files may give less
        data += more
    return data
