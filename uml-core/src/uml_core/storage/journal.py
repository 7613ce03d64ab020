"""Rows that are not in the database yet, on disk: what a killed gateway leaves for the next one to write."""

from __future__ import annotations

import contextlib
import errno
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SEGMENT_BYTES = 256 * 1024


class _Segment(NamedTuple):
    path: Path
    file: int


class Journal:
    """Lines in numbered files, appended without fsync: the page cache outlives the process, which is all that is asked.

    A segment is deleted once its rows are settled, oldest first, so what is left is always the end of the history, and
    to write some of it a second time changes nothing. ``left_over`` are the segments of earlier runs; ``trouble`` is
    why lines can't be kept at the moment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left_over: list[Path] = []
        self.trouble: OSError | None = None
        self._number = 0
        self._active: _Segment | None = None
        self._bytes = 0
        self._torn = False
        self._closed: deque[tuple[Path, int]] = deque()

    def open(self) -> None:
        """Look for left-over segments and begin a new one behind them; on failure there is ``trouble``."""
        try:
            self._make_folder()
            self.left_over = sorted(path for path in self.folder.glob("*.jsonl") if path.stem.isdecimal())
        except OSError as error:
            self.trouble = error
        self._number = int(self.left_over[-1].stem) if self.left_over else 0
        self._active = self.fresh()

    def append(self, line: bytes) -> None:
        """Keep *line*; when it can't be kept there is ``trouble``."""
        if self._active is None:
            return
        whole = b"\n" + line if self._torn else line
        try:
            written = os.write(self._active.file, whole)
        except OSError as error:
            self.trouble = error
            return
        self._bytes += written
        self._torn = written < len(whole)  # the disk got full within the line: the next one must not be glued to it
        if self._torn:
            self.trouble = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def wants_turn(self) -> bool:
        """Whether it is time for a new segment: this one is long, or could not be written."""
        return self.trouble is not None or self._bytes >= SEGMENT_BYTES

    def fresh(self) -> _Segment | None:
        """A new segment that can be written, which a byte proves; None when there is ``trouble``."""
        self._number += 1
        path = self.folder / f"{self._number:08}.jsonl"
        try:
            self._make_folder()
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.trouble = error
            return None
        try:
            os.write(file, b"\n")
        except OSError as error:
            self.trouble = error
            os.close(file)
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return _Segment(path, file)

    def turn(self, segment: _Segment, *, before: int) -> None:
        """Go on in *segment*; the rows of the one until now all have numbers below *before*."""
        self._retire(before)
        self._active = segment
        self.trouble = None

    def forget(self, *, before: int) -> None:
        """Delete the closed segments whose rows all have numbers below *before*: they are settled."""
        while self._closed and self._closed[0][1] <= before:
            path, _ = self._closed.popleft()
            with contextlib.suppress(OSError):
                path.unlink()

    def replayed(self, segment: Path) -> None:
        """A left-over segment is in the database now."""
        with contextlib.suppress(OSError):
            segment.unlink()
        self.left_over.remove(segment)

    def close(self, *, next_row: int, settled_before: int) -> None:
        """Append no more; what is not settled stays on disk for the next start."""
        self._retire(next_row)
        self.forget(before=settled_before)

    def _make_folder(self) -> None:
        for folder in (self.folder.parent, self.folder):  # one by one: a parent made on the way would get no mode
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _retire(self, before: int) -> None:
        if self._active:
            with contextlib.suppress(OSError):
                os.close(self._active.file)
            self._closed.append((self._active.path, before))
        self._active, self._bytes, self._torn = None, 0, False


def lines(segment: Path) -> Iterator[bytes]:
    """The lines of a segment, one after the other; a torn one is for :func:`uml_core.storage.line.decode` to see."""
    with segment.open("rb") as file:
        yield from (line for line in file if line.strip())
