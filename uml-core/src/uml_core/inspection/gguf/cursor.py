"""Read a file forward, little endian, one window at a time, and never past its end.

A window and no ``mmap``: a file that somebody truncates while it is mapped kills the process that looks at it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from struct import Struct
from typing import Any

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import open_model_file, shown

WINDOW_BYTES = 256 * 2**10
HEADER_BYTES = 256 * 2**20
STRING_BYTES = 16 * 2**20
STRINGS = 4 * 2**20  # five times the largest vocabulary with its merges; more would take seconds
KEPT_BYTES = 16 * 2**20
CHUNK = 256
CHUNK_BYTES = 8 * 2**10  # so many strings of a vocabulary seldom have more
SHORT = 128
LENGTH = Struct("<Q")


class Malformed(Exception):
    """The bytes break the format; the text is the reason, without the file's name."""


class Cursor:
    """A place in *file* of *size_bytes*; ``keeps_bytes`` is the memory that kept values may still take."""

    def __init__(self, file: RawIOBase, size_bytes: int, *, start: int = 0) -> None:
        self.size_bytes = size_bytes
        self.keeps_bytes = KEPT_BYTES
        self._strings = STRINGS
        self._file = file
        self._end = min(size_bytes, start + HEADER_BYTES)
        # One window for all that is read: fresh memory costs more than the reading.
        self._window = bytearray(max(0, min(WINDOW_BYTES, self._end - start)))
        self._filled = 0
        self._window_start = start
        self._at = 0  # in the window; beyond what is filled after a skip

    @property
    def position(self) -> int:
        """Where the next byte comes from, counted from the start of the file."""
        return self._window_start + self._at

    @property
    def remaining(self) -> int:
        return self._end - self.position

    def unpack(self, layout: Struct) -> tuple[Any, ...]:
        if self._at + layout.size > self._filled:
            self._fill(layout.size)
        at = self._at
        self._at = at + layout.size
        return layout.unpack_from(self._window, at)

    def take(self, length: int) -> bytearray:
        if self._at + length > self._filled:
            self._fill(length)
        at = self._at
        self._at = at + length
        return self._window[at : self._at]

    def skip(self, length: int) -> None:
        self._require(length)
        self._at += length

    def back_to(self, position: int) -> None:
        """Return to where the cursor has been."""
        self._at = position - self._window_start
        if self._at < 0:
            self._filled, self._window_start, self._at = 0, position, 0

    def length(self, most: int, what: str) -> int:
        """Read the length of a string, which may have at most *most* bytes."""
        (length,) = self.unpack(LENGTH)
        if length > most:
            raise Malformed(f"{what} is said to be {length} bytes long; at most {most} are allowed")
        return int(length)

    def skip_strings(self, count: int) -> None:
        """Skip *count* strings: a vocabulary has 10⁵ of them, and a loop over each is most of the time of a header."""
        self._strings -= count
        if self._strings < 0:
            raise Malformed(f"it holds more than {STRINGS} strings")
        many, at = _many_strings(), self._at
        while count >= CHUNK:
            if self._filled - at < CHUNK_BYTES and self._filled < self._end - self._window_start:
                self._at = at
                self._fill(LENGTH.size)
                at = 0
            if found := many(self._window, at, self._filled):
                at = found.end()
            else:
                self._at = at
                self._skip_each(CHUNK)
                at = self._at
            count -= CHUNK
        self._at = at
        self._skip_each(count)

    def _skip_each(self, count: int) -> None:
        unpack, window, at = LENGTH.unpack_from, self._window, self._at
        last = self._filled - LENGTH.size
        for _ in range(count):
            if at > last:
                self._at = at
                self._fill(LENGTH.size)
                window, at = self._window, 0
                last = self._filled - LENGTH.size
            at += LENGTH.size + unpack(window, at)[0]
        self._at = at
        self._require(0)

    def _fill(self, length: int) -> None:
        """Move the window so that it starts here and holds at least *length* bytes."""
        self._require(length)
        position, kept = self.position, self._window[self._at : self._filled]
        if length > len(self._window):
            self._window = bytearray(length)
        self._window[: len(kept)] = kept
        self._file.seek(position + len(kept))
        wanted = min(len(self._window), self._end - position)
        self._filled = _read(self._file, memoryview(self._window)[:wanted], len(kept))
        self._window_start, self._at = position, 0
        if self._filled < length:
            raise Malformed("it became shorter while it was read")

    def _require(self, length: int) -> None:
        if length <= self.remaining:
            return
        if self._end < self.size_bytes:
            raise Malformed(f"its header is longer than {HEADER_BYTES // 2**20} MiB")
        raise Malformed(f"it ends within its header, after {self.size_bytes} bytes")


@contextmanager
def open_cursor(path: Path, *, start: int = 0) -> Iterator[Cursor]:
    """Open *path* at the byte *start*.

    :raises InvalidModelFileError: it can't be opened, or what is done with the cursor finds it malformed
    """
    try:
        with open_model_file(path) as (file, size_bytes):
            yield Cursor(file, size_bytes, start=start)
    except Malformed as malformed:
        raise InvalidModelFileError(
            f"'{shown(path.name)}' is not a whole GGUF file: {malformed}; download it again"
        ) from None


def _read(file: RawIOBase, window: memoryview, filled: int) -> int:
    """Fill up *window*, and give how much of it is filled; unbuffered files may give less than was asked for."""
    while filled < len(window) and (found := file.readinto(window[filled:])):
        filled += found
    return filled


@functools.cache
def _many_strings() -> Callable[[bytearray, int, int], re.Match[bytes] | None]:
    r"""A matcher of exactly CHUNK length-prefixed strings, each shorter than SHORT.

    ``(?:\x05\0\0\0\0\0\0\0.{5}|…){64}+`` walks over a vocabulary in C. It is compiled at the first use. What it doesn't
    match (a longer string, the end of the window) is walked over one by one.
    """
    common_first = sorted(range(SHORT), key=lambda length: abs(length - 8))  # alternatives are tried in their order
    one = b"|".join(re.escape(LENGTH.pack(length)) + b".{%d}+" % length for length in common_first if length)
    one += b"|" + re.escape(LENGTH.pack(0))
    return re.compile(b"(?:%b){%d}+" % (one, CHUNK), re.DOTALL).match
