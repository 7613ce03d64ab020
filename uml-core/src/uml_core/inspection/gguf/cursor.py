"""Read a file forward, little endian, one window at a time, and never past its end.

A window and no ``mmap``: a file that somebody truncates while it is mapped kills the process that looks at it.
"""

from __future__ import annotations

from collections.abc import Iterator
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
LENGTH = Struct("<Q")


class Malformed(Exception):
    """The bytes break the format; the text is the reason, without the file's name."""


class Cursor:
    """A place in *file* of *size_bytes*; ``keeps_bytes`` is the memory that kept values may still take.

    ``at`` is the place in ``window``, of which ``filled`` bytes are of the file; after a skip it may be beyond them.
    """

    def __init__(self, file: RawIOBase, size_bytes: int, *, start: int = 0) -> None:
        self.size_bytes = size_bytes
        self.keeps_bytes = KEPT_BYTES
        self._strings = STRINGS
        self._file = file
        self._end = min(size_bytes, start + HEADER_BYTES)
        # One window for all that is read: fresh memory costs more than the reading.
        self.window = bytearray(max(0, min(WINDOW_BYTES, self._end - start)))
        self.filled = 0
        self._window_start = start
        self.at = 0

    @property
    def position(self) -> int:
        """Where the next byte comes from, counted from the start of the file."""
        return self._window_start + self.at

    @property
    def remaining(self) -> int:
        return self._end - self.position

    @property
    def sees_end(self) -> bool:
        """Whether the window reaches to the end of what may be read."""
        return self.filled >= self._end - self._window_start

    def unpack(self, layout: Struct) -> tuple[Any, ...]:
        if self.at + layout.size > self.filled:
            self.fill(layout.size)
        at = self.at
        self.at = at + layout.size
        return layout.unpack_from(self.window, at)

    def take(self, length: int) -> bytearray:
        if self.at + length > self.filled:
            self.fill(length)
        at = self.at
        self.at = at + length
        return self.window[at : self.at]

    def ahead(self, length: int) -> bytes:
        """The next *length* bytes, or fewer if the file ends before."""
        if self.at + length > self.filled and not self.sees_end:
            self.fill(1)
        return bytes(self.window[self.at : min(self.at + length, self.filled)])

    def skip_if(self, expected: bytes) -> bool:
        """Skip what comes next if it is *expected*, and say whether it is."""
        if self.at + len(expected) > self.filled:
            if len(expected) > self.remaining:
                return False
            self.fill(len(expected))
        if not self.window.startswith(expected, self.at, self.filled):
            return False
        self.at += len(expected)
        return True

    def skip(self, length: int) -> None:
        self.require(length)
        self.at += length

    def back_to(self, position: int) -> None:
        """Return to where the cursor has been."""
        self.at = position - self._window_start
        if self.at < 0:
            self.filled, self._window_start, self.at = 0, position, 0

    def length(self, most: int, what: str) -> int:
        """Read the length of a string, which may have at most *most* bytes."""
        (length,) = self.unpack(LENGTH)
        if length > most:
            raise Malformed(f"{what} is said to be {length} bytes long; at most {most} are allowed")
        return int(length)

    def count_strings(self, count: int) -> None:
        """Refuse more strings than any file needs: to get over them takes time."""
        self._strings -= count
        if self._strings < 0:
            raise Malformed(f"it holds more than {STRINGS} strings")

    def fill(self, length: int) -> None:
        """Move the window so that it starts here and holds at least *length* bytes."""
        self.require(length)
        position, kept = self.position, self.window[self.at : self.filled]
        if length > len(self.window):
            self.window = bytearray(length)
        self.window[: len(kept)] = kept
        self._file.seek(position + len(kept))
        wanted = min(len(self.window), self._end - position)
        self.filled = _read(self._file, memoryview(self.window)[:wanted], len(kept))
        self._window_start, self.at = position, 0
        if self.filled < length:
            raise Malformed("it became shorter while it was read")

    def require(self, length: int) -> None:
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
