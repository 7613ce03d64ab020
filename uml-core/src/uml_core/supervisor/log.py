"""What a worker says: its last lines in memory, all of it in a file that `uml logs` reads."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

TAIL_LINES = 200
LINE_BYTES = 8192
FILE_BYTES = 5_000_000


class WorkerLog:
    """The log of one worker.

    Bytes are cut into lines of at most 8 KiB. The token is blotted out. A file that can't be written (a full disk)
    never stops the worker: the lines in memory go on.
    """

    def __init__(self, path: Path, *, secret: str, facts: dict[str, object]) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.watchers: list[Callable[[str], None]] = []
        self._path = path
        self._secret = secret
        self._facts = facts
        self._partial = b""
        self._file: TextIO | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes as they come from the pipe."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._take(line)

    def close(self) -> None:
        if self._partial:
            self._take(self._partial)
            self._partial = b""
        if self._file:
            self._file.close()
            self._file = None

    def last(self, count: int = 10) -> tuple[str, ...]:
        """The last *count* lines, for an error's detail."""
        return tuple(line for line in list(self.tail)[-count:] if line.strip())

    def _take(self, raw: bytes) -> None:
        line = raw[:LINE_BYTES].decode("utf-8", "replace").rstrip("\r").replace(self._secret, "***")
        self.tail.append(line)
        self._write(line)
        for watcher in self.watchers:
            watcher(line)

    def _write(self, line: str) -> None:
        record = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **self._facts, "line": line}
        try:
            file = self._file or self._open()
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            if file.tell() > FILE_BYTES:
                self._rotate()
        except OSError:
            self._file = None

    def _open(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._path.open("a", encoding="utf-8")
        self._path.chmod(0o600)
        return self._file

    def _rotate(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
        self._path.replace(self._path.with_suffix(".1.log"))
