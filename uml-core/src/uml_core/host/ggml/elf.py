"""Which libraries a shared library or program for Linux is linked with."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, the low byte first: every machine that an engine is built for
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS = 0, 1, 5
_SEGMENT, _ENTRY = struct.Struct("<IIQQQQQQ"), struct.Struct("<qQ")
_MOST = 4096


@frozen
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def needed(file: Path) -> tuple[str, ...]:
    """The names of the libraries that *file* can't be loaded without; empty for what is no such file, or is broken."""
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return tuple(_needed(data)) if data[: len(_MAGIC)] == _MAGIC else ()
    except (OSError, ValueError, OverflowError, struct.error, RuntimeError):  # the last: nothing more to find
        return ()


def _needed(data: mmap.mmap) -> Iterator[str]:
    segments = list(_segments(data))
    dynamic = next(segment for segment in segments if segment.kind == _DYNAMIC)
    entries = list(_entries(data, dynamic))
    strings = _offset(segments, next(value for tag, value in entries if tag == _STRINGS))
    for start in (strings + value for tag, value in entries if tag == _NEEDED):
        yield data[start : start + _MOST].partition(b"\0")[0].decode("utf-8", "replace")


def _segments(data: mmap.mmap) -> Iterator[_Segment]:
    (start,), (size, count) = struct.unpack_from("<Q", data, 32), struct.unpack_from("<HH", data, 54)
    for at in range(start, start + size * min(count, _MOST), max(size, 1)):
        kind, _, offset, address, _, in_file, _, _ = _SEGMENT.unpack_from(data, at)
        yield _Segment(kind, offset, address, in_file)


def _entries(data: mmap.mmap, dynamic: _Segment) -> Iterator[tuple[int, int]]:
    for at in range(dynamic.offset, dynamic.offset + min(dynamic.size, _MOST * _ENTRY.size), _ENTRY.size):
        tag, value = _ENTRY.unpack_from(data, at)
        if tag == _END:
            return
        yield tag, value


def _offset(segments: list[_Segment], address: int) -> int:
    """Where in the file lies what will be at *address* in memory."""
    holding = (s for s in segments if s.kind == _LOAD and s.address <= address < s.address + s.size)
    segment = next(holding)
    return segment.offset + address - segment.address
