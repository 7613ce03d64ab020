"""A log file of JSON lines: its last entries, and those that come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from attrs import field, frozen, mutable

BLOCK_BYTES = 65536


@frozen
class Entry:
    """One line of a log; ``at`` is ISO 8601 in UTC, empty when the line doesn't say."""

    source: str
    record: Mapping[str, Any]

    @property
    def at(self) -> str:
        return str(self.record.get("at") or self.record.get("timestamp") or "")

    @property
    def clock(self) -> str:
        """The time of day here."""
        try:
            return datetime.fromisoformat(self.at).astimezone().strftime("%H:%M:%S")
        except ValueError:
            return "--:--:--"

    @property
    def level(self) -> str:
        return str(self.record.get("level") or "")

    @property
    def text(self) -> str:
        """The line, or the event with its facts."""
        if "line" in self.record:
            return str(self.record["line"])
        shown = {"at", "timestamp", "level", "event", "exception"}
        facts = [f"{key}={value}" for key, value in self.record.items() if key not in shown]
        last = [str(self.record["exception"])] if self.record.get("exception") else []
        return "\n".join([" ".join([str(self.record.get("event", "")), *facts]), *last])


@mutable
class Journal:
    """One log file that others write, and rotate by renaming it."""

    path: Path
    source: str = field(kw_only=True)
    _file: BinaryIO | None = None
    _partial: bytes = b""

    def last(self, count: int) -> list[Entry]:
        """The last *count* entries; :meth:`new` goes on behind them."""
        if not self._open() or self._file is None:
            return []
        data = _tail(self._file, count)
        self._file.seek(0, os.SEEK_END)
        *lines, self._partial = data.split(b"\n")
        return [self._entry(line) for line in lines[-count:]] if count else []

    def new(self) -> Iterator[Entry]:
        """The entries that came since the last look; of a file that was rotated meanwhile first the rest."""
        yield from self._rest()
        if self._open():
            self._partial = b""
            yield from self._rest()

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _rest(self) -> Iterator[Entry]:
        if self._file is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # somebody emptied it
            self._file.seek(0)
        *lines, self._partial = (self._partial + self._file.read()).split(b"\n")
        yield from map(self._entry, lines)

    def _open(self) -> bool:
        """Open what stands at the path now; False when that's open already, or nothing is there."""
        try:
            if self._file and os.path.samestat(self.path.stat(), os.fstat(self._file.fileno())):
                return False
            file = self.path.open("rb")
        except OSError:
            return False
        self.close()
        self._file = file
        return True

    def _entry(self, line: bytes) -> Entry:
        text = line.decode("utf-8", "replace")
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        return Entry(self.source, record if isinstance(record, dict) else {"line": text})


def _tail(file: BinaryIO, lines: int) -> bytes:
    """The end of *file* with at least *lines* whole lines, read from behind."""
    start = file.seek(0, os.SEEK_END)
    data = b""
    while start and data.count(b"\n") <= lines:
        size = min(BLOCK_BYTES, start)
        start -= size
        file.seek(start)
        data = file.read(size) + data
    return data
