"""Get over many strings without reading them: a vocabulary has 10⁵, and they are most of the time of a header."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from uml_core.inspection.gguf.cursor import LENGTH, Cursor
from uml_core.inspection.gguf.vocabularies import HEAD_BYTES, KEPT_BYTES, SEEN, SMALLEST_STRINGS

CHUNK = 256
CHUNK_BYTES = 32 * 2**10  # so many strings of a vocabulary hardly ever have more
SHORT = 192  # the longest common ones are runs of spaces
PART_BYTES = 64 * 2**10  # to compare so many at once needs no copy of them


def skip_strings(cursor: Cursor, count: int) -> None:
    """Skip *count* strings, by comparing them with a vocabulary that was seen before, or by walking over them.

    :raises Malformed: they end after the file does, or are too many
    """
    cursor.count_strings(count)
    if count < SMALLEST_STRINGS:
        _Walk(cursor).over(count)
        return
    seen = SEEN.like(count, cursor.ahead(HEAD_BYTES))
    if seen and _skip_same(cursor, seen):
        return
    walk = _Walk(cursor, keeps=seen is not None)
    walk.over(count)
    if kept := walk.kept():
        SEEN.keep(count, kept)


def _skip_same(cursor: Cursor, seen: tuple[bytes, ...]) -> bool:
    start = cursor.position
    if all(cursor.skip_if(part) for part in seen):
        return True
    cursor.back_to(start)
    return False


class _Walk:
    """A way over strings from where *cursor* is, which *keeps* the bytes of it while they are few."""

    def __init__(self, cursor: Cursor, *, keeps: bool = False) -> None:
        self._cursor = cursor
        self._from = cursor.at
        self._parts: list[bytes] | None = [] if keeps else None
        self._size_bytes = 0

    def over(self, count: int) -> None:
        cursor, at, many = self._cursor, self._cursor.at, _many_strings()
        while count >= CHUNK:
            if cursor.filled - at < CHUNK_BYTES and not cursor.sees_end:
                at = self._move(at)
            found = many(cursor.window, at, cursor.filled)
            at = found.end() if found else self._each(CHUNK, at)
            count -= CHUNK
        cursor.at = self._each(count, at)

    def kept(self) -> tuple[bytes, ...]:
        """What was walked over, in parts, or nothing if it wasn't kept, not all read, or is more than is worth it."""
        self._keep(self._cursor.at)
        return tuple(self._parts or ())

    def _each(self, count: int, at: int) -> int:
        cursor, unpack = self._cursor, LENGTH.unpack_from
        window, last = cursor.window, cursor.filled - LENGTH.size
        for _ in range(count):
            if at > last:
                at = self._move(at)
                window, last = cursor.window, cursor.filled - LENGTH.size
            at += LENGTH.size + unpack(window, at)[0]
        cursor.at = at
        cursor.require(0)
        return at

    def _move(self, at: int) -> int:
        """Move the window so that it starts at the place *at* of now."""
        self._keep(at)
        self._cursor.at = at
        self._cursor.fill(LENGTH.size)
        self._from = 0
        return 0

    def _keep(self, end: int) -> None:
        self._size_bytes += end - self._from
        if self._parts is None or end > self._cursor.filled or self._size_bytes > KEPT_BYTES:
            self._parts = None
        else:
            window, places = self._cursor.window, range(self._from, end, PART_BYTES)
            self._parts += (bytes(window[place : min(place + PART_BYTES, end)]) for place in places)


@functools.cache
def _many_strings() -> Callable[[bytearray, int, int], re.Match[bytes] | None]:
    r"""A matcher of exactly CHUNK length-prefixed strings, each shorter than SHORT.

    ``(?:\x05\0\0\0\0\0\0\0.{5}+|…){256}+`` walks over a vocabulary in C. It is compiled at the first use. What it
    doesn't match (a longer string, the end of the window) is walked over one by one.
    """
    common_first = sorted(range(SHORT), key=lambda length: abs(length - 8))  # alternatives are tried in their order
    one = b"|".join(re.escape(LENGTH.pack(length)) + b".{%d}+" % length for length in common_first if length)
    one += b"|" + re.escape(LENGTH.pack(0))
    return re.compile(b"(?:%b){%d}+" % (one, CHUNK), re.DOTALL).match
