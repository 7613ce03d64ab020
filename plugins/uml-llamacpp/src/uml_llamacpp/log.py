"""llama.cpp's log: on to stderr line by line, with the last complaints kept for the sentence that a failure needs."""

from __future__ import annotations

import ctypes
import sys
from collections import deque

import llama_cpp

_NONE, _DEBUG, _INFO, _ERROR, _CONTINUED = 0, 1, 2, 4, 5


class EngineLog:
    """Takes over llama.cpp's log; C holds only a pointer to it, so it must live as long as llama.cpp is called."""

    def __init__(self) -> None:
        self._complaints: deque[str] = deque(maxlen=8)
        self._level = _INFO
        self._callback = llama_cpp.llama_log_callback(self._take)
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))

    def why(self) -> str:
        """The first complaint of the last load: what comes after it are its consequences."""
        return self._complaints[0] if self._complaints else "it does not say why"

    def forget(self) -> None:
        self._complaints.clear()

    def _take(self, level: int, text: bytes, _: object) -> None:
        self._level = self._level if level == _CONTINUED else level
        if self._level in {_NONE, _DEBUG}:
            return
        said = text.decode("utf-8", "replace")
        if self._level == _ERROR and said.strip():
            self._complaints.append(said.strip())
        sys.stderr.write(said)
        if said.endswith("\n"):
            sys.stderr.flush()
