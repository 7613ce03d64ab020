"""The state of a walk through a pickle: what is on the stack, what was noted, and which names were named."""

from __future__ import annotations

import struct
from struct import Struct
from typing import Any

from uml_core.inspection.pytorch.values import Global, Made

TEXT_BYTES = 4096
GLOBALS = 1000
MARK = object()
OPAQUE = Made("opaque")
"""Stands for every value that nothing here depends on."""


class Malformed(Exception):
    """The bytes are no pickle; the text is the reason, without the file's name."""


class CutOff(Malformed):
    """The bytes end before the pickle does."""


class Machine:
    """One pass over the pickle that starts at *at* in *data*."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.globals: dict[Global, None] = {}

    def take(self, length: int) -> bytes:
        at = self.at
        self.at = at + length
        if self.at > len(self.data):
            raise CutOff("it breaks off")
        return self.data[at : self.at]

    def number(self, layout: Struct) -> Any:
        at = self.at
        self.at = at + layout.size
        try:
            return layout.unpack_from(self.data, at)[0]
        except struct.error:
            raise CutOff("it breaks off") from None

    def text(self, length: int) -> str | Made:
        """A string of *length* bytes; what is too long for a name is opaque."""
        data = self.take(length)
        return data.decode("utf-8", "replace") if length <= TEXT_BYTES else OPAQUE

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + TEXT_BYTES)
        if end < 0:
            at_end = self.at + TEXT_BYTES > len(self.data)
            raise CutOff("it breaks off") if at_end else Malformed("it has a line without an end")
        line = self.data[self.at : end]
        self.at = end + 1
        return line.decode("utf-8", "replace")

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise Malformed("it takes more from its stack than is there")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise Malformed("it takes more from its stack than is there")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """Everything above the last mark."""
        stack = self.stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is MARK:
                found = stack[at + 1 :]
                del stack[at:]
                return found
        raise Malformed("it goes back to a mark that is not there")

    def named(self, module: object, name: object) -> Global | Made:
        if not isinstance(module, str) or not isinstance(name, str):
            return OPAQUE
        found = Global(module[:200], name[:200])
        if len(self.globals) < GLOBALS:
            self.globals[found] = None
        return found
