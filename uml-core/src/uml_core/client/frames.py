"""The frames of an event stream of OpenAI's kind, read from bytes as they come; without any input or output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import mutable

from uml_core.client.failure import error_of
from uml_core.errors import InternalServerError, WorkerCrashedError

LIMIT_BYTES = 16 * 2**20
"""No frame of a chat is near this; what is, is no event stream."""


@mutable
class Frames:
    """Feed it what arrived, get the chunks that are whole, and tell it when nothing more comes."""

    done: bool = False
    _tail: bytes = b""

    def feed(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        """The chunks that *data* completes.

        :raises UMLError: an error frame, as the class of its code
        """
        *lines, self._tail = (self._tail + data).split(b"\n")
        if len(self._tail) > LIMIT_BYTES:
            raise InternalServerError(f"a line of the answer is over {LIMIT_BYTES // 2**20} MiB; it is no event stream")
        for line in lines:
            if not self.done and line.startswith(b"data:"):  # everything else is a comment or a field we never use
                yield from self._chunk(line[5:].strip())

    def _chunk(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        if data == b"[DONE]":
            self.done = True
            return
        try:
            chunk = json.loads(data)
        except ValueError:
            raise InternalServerError(f"the answer has a frame that is no JSON: {data[:80]!r}") from None
        if not isinstance(chunk, Mapping):
            raise InternalServerError(f"the answer has a frame that is no object: {data[:80]!r}")
        if "error" in chunk:
            raise error_of(chunk, status=500)
        yield chunk

    def end(self) -> None:
        """Nothing more comes.

        :raises WorkerCrashedError: the stream was cut, ``[DONE]`` never came
        """
        if not self.done:
            raise WorkerCrashedError("the answer was cut off before its end; what came so far is not all of it")
