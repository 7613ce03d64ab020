"""The list of contents of a zip archive, read so that no archive can make it long: names, sizes, places.

Source: PKWARE's APPNOTE.TXT 6.3.10, §4.3 and §4.5.3 (zip64).
"""

from __future__ import annotations

import struct
import zlib
from io import FileIO
from struct import Struct

from attrs import frozen

from uml_core.inspection.pytorch.machine import Malformed

ENTRIES = 100_000
CONTENTS_BYTES = 16 * 2**20
COMMENT_BYTES = 65_535
END = Struct("<4s4H2LH")
END64 = Struct("<4sQ2H2L4Q")
LOCATOR = Struct("<4sLQL")
ENTRY = Struct("<4s6H3L5H2L")
LOCAL = Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
ABSENT = 0xFFFFFFFF
NOT_WHOLE = "its list of contents is broken or missing: it was cut off"


@frozen
class Entry:
    """One file of the archive; ``offset`` is where its local header is."""

    name: str
    method: int
    packed_bytes: int
    size_bytes: int
    offset: int


def list_contents(file: FileIO, size_bytes: int) -> dict[str, Entry]:
    """Read the names and sizes of what is in the archive *file*.

    :raises Malformed: its list is missing, broken, or beyond the bounds
    """
    try:
        count, length, start = _end(file, size_bytes)
        if count > ENTRIES or length > CONTENTS_BYTES:
            raise Malformed(f"it is an archive of {count} files, more than a checkpoint has")
        file.seek(start)
        data = file.read(length)
        return _entries(data, count, size_bytes)
    except (struct.error, IndexError, OverflowError, OSError, ValueError):
        raise Malformed(NOT_WHOLE) from None


def read_entry(file: FileIO, entry: Entry, *, most_bytes: int) -> bytes:
    """Read what is in *entry*.

    :raises Malformed: it is broken, packed in an unusual way, or larger than *most_bytes*
    """
    if max(entry.size_bytes, entry.packed_bytes) > most_bytes:
        raise Malformed(f"'{entry.name[:80]}' in it has {entry.size_bytes} bytes, more than UML reads")
    file.seek(entry.offset)
    head = file.read(LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise Malformed(NOT_WHOLE)
    *_, name_length, extra_length = LOCAL.unpack(head)
    file.seek(entry.offset + LOCAL.size + name_length + extra_length)
    return _unpacked(file.read(entry.packed_bytes), entry, most_bytes)


def _unpacked(data: bytes, entry: Entry, most_bytes: int) -> bytes:
    if entry.method == DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most_bytes)
        except zlib.error:
            raise Malformed("what is packed in it is broken") from None
    elif entry.method != STORED:
        raise Malformed("it is packed in an unusual way")
    if len(data) != entry.size_bytes:
        raise Malformed(NOT_WHOLE)
    return data


def _end(file: FileIO, size_bytes: int) -> tuple[int, int, int]:
    """How many entries there are, and the length and the place of their list."""
    tail_start = max(0, size_bytes - END.size - COMMENT_BYTES)
    file.seek(tail_start)
    tail = file.read(END.size + COMMENT_BYTES)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise Malformed(NOT_WHOLE)
    *_, count, length, start, _ = END.unpack_from(tail, at)
    if count == 0xFFFF or ABSENT in (length, start):
        locator = at - LOCATOR.size
        if locator < 0 or not tail.startswith(b"PK\x06\x07", locator):
            raise Malformed(NOT_WHOLE)
        file.seek(LOCATOR.unpack_from(tail, locator)[2])
        end = END64.unpack(file.read(END64.size))
        if end[0] != b"PK\x06\x06":
            raise Malformed(NOT_WHOLE)
        count, length, start = end[7:10]
    if start + length > size_bytes:
        raise Malformed(NOT_WHOLE)
    return count, length, start


def _entries(data: bytes, count: int, size_bytes: int) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    at = 0
    for _ in range(count):
        mark, _, _, _, method, _, _, _, packed, size, names, extras, comments, *_, offset = ENTRY.unpack_from(data, at)
        if mark != b"PK\x01\x02":
            raise Malformed(NOT_WHOLE)
        at += ENTRY.size
        name = data[at : at + names].decode("utf-8", "replace")
        if ABSENT in (packed, size, offset):
            size, packed, offset = _wide(data[at + names : at + names + extras], size, packed, offset)
        at += names + extras + comments
        if name in found:
            raise Malformed("two files in it have the same name")
        if offset + packed > size_bytes:
            raise Malformed(NOT_WHOLE)
        found[name] = Entry(name, method, packed, size, offset)
    return found


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The numbers of an entry that don't fit into 32 bits: they stand in its extra field 1, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = int.from_bytes(extra[at : at + 2], "little"), int.from_bytes(extra[at + 2 : at + 4], "little")
        if kind == 1:
            wide = [int.from_bytes(extra[place : place + 8], "little") for place in range(at + 4, at + 4 + length, 8)]
            numbers = [wide.pop(0) if number == ABSENT else number for number in (size, packed, offset)]
            return numbers[0], numbers[1], numbers[2]
        at += 4 + length
    raise Malformed(NOT_WHOLE)
