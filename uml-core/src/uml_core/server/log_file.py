"""The gateway's log as a file, for `uml logs`."""

from __future__ import annotations

import contextlib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog
from pydantic_core import to_json

FILE_BYTES = 5_000_000


class LogFile:
    """A processor that keeps each event as a JSON line, and hands it on as it was.

    A file that can't be written (a full disk) never stops a request. Over 5 MB it is moved to ``….1.log``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._bytes = 0

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        facts = structlog.processors.format_exc_info(logger, name, dict(event)) if event.get("exc_info") else event
        line = to_json(facts, fallback=str).decode() + "\n"
        with contextlib.suppress(OSError):
            self._write(line)
        return event

    def _write(self, line: str) -> None:
        file = self._file or self._open()
        try:
            file.write(line)
            file.flush()
        except OSError:
            self.close()
            raise
        self._bytes += len(line)
        if self._bytes > FILE_BYTES:
            self.close()
            self._path.replace(self._path.with_suffix(".1.log"))

    def _open(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._path.open("a", encoding="utf-8")
        self._path.chmod(0o600)
        self._bytes = self._file.tell()
        return self._file

    def close(self) -> None:
        if self._file:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                file.close()
