"""One worker's event stream on its way to one client: what of it may be forwarded, and how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from uml_core.errors import UMLError, WorkerCrashedError
from uml_core.server.failure import error_of
from uml_core.server.frames import DONE, ERROR, FINISHED, NO_CHOICES, USAGE, FrameCutter, renamed, split
from uml_core.server.usage import Usage

CUT_OFF = "the worker ended in the middle of its answer; what came so far is not all of it"
UNFINISHED = "the worker ended its answer without a word on why it stopped; what came so far may not be all of it"

REMEMBERED_BYTES = 8192
"""Of each of the last three blocks; the last frames of an answer are smaller."""


class EventStream:
    """Whole frames pass as they are. Only a block that may hold an end, an error or a count is looked at by frame.

    ``finished`` means that ``[DONE]`` came after a ``finish_reason``, if one is needed, and has passed; ``error`` is
    what ended the stream instead.
    """

    def __init__(
        self,
        *,
        error_codes: Mapping[str, str],
        wants_usage: bool,
        needs_reason: bool = True,
        model: str | None = None,
    ) -> None:
        """Begin with nothing seen.

        :param error_codes: the engine's own error types, and the OpenAI codes that they mean
        :param wants_usage: whether the client asked for the chunk that counts tokens
        :param needs_reason: whether a whole answer has said why it stopped
        :param model: the name to write into each frame, for an engine that can't echo it
        """
        self.finished = False
        self.error: UMLError | None = None
        self.usage = Usage()
        self._cutter = FrameCutter()
        self._recent: deque[bytes] = deque(maxlen=3)
        self._error_codes = error_codes
        self._wants_usage = wants_usage
        self._needs_reason = needs_reason
        self._model = model

    def take(self, data: bytes) -> bytes:
        """What may be forwarded now that *data* has arrived; empty when a frame is not whole yet."""
        try:
            block = self._cutter.feed(data)
        except UMLError as error:
            self.error = error
            return b""
        if not block:
            return block
        # quoted markers can't occur in a text of the model; the others only cost a closer look when they do
        if self._model is None and b'"error"' not in block and b"[DONE]" not in block and b"[]" not in block:
            self._recent.append(block[-REMEMBERED_BYTES:])
            return block
        return self._inspect(block)

    def end(self) -> None:
        """Nothing more arrives."""
        if not self.finished and self.error is None:
            self.error = WorkerCrashedError(CUT_OFF)

    def _inspect(self, block: bytes) -> bytes:
        passed = []
        for frame in split(block):
            if DONE.match(frame):
                self._finish()
            elif failure := ERROR.match(frame):
                self.error = error_of(failure[1], status=500, codes=self._error_codes)
            if self.error:
                break
            if self.finished or self._passes(frame):
                passed.append(frame if self._model is None else renamed(frame, self._model))
            if self.finished:
                break
        return b"".join(passed)

    def _passes(self, frame: bytes) -> bool:
        self._recent.append(frame[-REMEMBERED_BYTES:])
        if NO_CHOICES.search(frame) and USAGE.search(frame):
            return self._wants_usage
        return True

    def _finish(self) -> None:
        last = b"".join(self._recent)
        if not self._needs_reason or FINISHED.search(last):
            self.finished = True
            self.usage = Usage.of(last)
        else:
            self.error = WorkerCrashedError(UNFINISHED)
