"""Server-sent events as bytes: cut at blank lines, looked at by their first characters."""

from __future__ import annotations

import re
from typing import Final

from pydantic_core import from_json, to_json

from uml_core.errors import WorkerCrashedError

LARGEST_FRAME_BYTES = 16 * 2**20

# None of these can match within a JSON string: a quote in it is escaped, and a line of it never ends.
DONE: Final = re.compile(rb"[\r\n]*data: ?\[DONE\]")
ERROR: Final = re.compile(rb'[\r\n]*data: ?(\{\s*"error"\s*:\s*[{"].*)', re.DOTALL)
NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')
USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
FINISHED: Final = re.compile(rb'"finish_reason"\s*:\s*"')
_FRAME: Final = re.compile(rb".+?\n\r?\n[\r\n]*", re.DOTALL)
_DATA: Final = re.compile(rb"([\r\n]*data: ?)(\{.*\})(\s*)", re.DOTALL)


class FrameCutter:
    """Cuts a stream of bytes at its last blank line, however the pieces fall."""

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._seam = b""  # the tail's last two bytes: a blank line may begin there

    def feed(self, data: bytes) -> bytes:
        """All frames that are whole now and weren't before; empty when there is none.

        :raises WorkerCrashedError: a frame is larger than any frame of an answer is
        """
        end = _end(self._seam + data) - len(self._seam) if self._seam else _end(data)
        if end <= 0:
            self._keep(data)
            return b""
        if not self._tail:
            whole = data[:end]
        else:
            whole = b"".join((*self._tail, data[:end]))
            self._tail.clear()
        self._tail_bytes, self._seam = 0, b""
        if end < len(data):
            self._keep(data[end:])
        return whole

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_bytes += len(data)
        self._seam = (self._seam + data)[-2:]
        if self._tail_bytes > LARGEST_FRAME_BYTES:
            raise WorkerCrashedError("the worker sent a frame that never ends; `uml logs` has its last words")


def _end(data: bytes) -> int:
    """Where the last blank line ends, 0 without one."""
    lf = data.rfind(b"\n\n")
    crlf = data.rfind(b"\n\r\n") if b"\r" in data else -1
    return max(lf + 2 if lf >= 0 else 0, crlf + 3 if crlf >= 0 else 0)


def split(block: bytes) -> list[bytes]:
    """The frames of a block that :class:`FrameCutter` gave, each with its blank line."""
    if b"\r" in block or b"\n\n\n" in block:
        return _FRAME.findall(block)
    return [frame + b"\n\n" for frame in block.split(b"\n\n")[:-1]]


def renamed(frame: bytes, model: str) -> bytes:
    """*frame* with the model's name as the client knows it, for an engine that can't echo it."""
    match = _DATA.fullmatch(frame)
    return frame if match is None else match[1] + renamed_body(match[2], model) + match[3]


def renamed_body(data: bytes, model: str) -> bytes:
    """A JSON object with that name; anything else as it is."""
    try:
        body = from_json(data)
    except ValueError:
        return data
    return to_json({**body, "model": model}) if isinstance(body, dict) else data
