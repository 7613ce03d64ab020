"""Calls that are written as JSON objects, told while their arguments are still being written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from attrs import define, frozen

_HEAD: Final = re.compile(
    r'[\s;,\[]*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*("(?:[^"\\]|\\.)+")\s*,'
    r'\s*"(?:arguments|parameters)"\s*:\s*(?=\{)'
)
_TAIL: Final = re.compile(r"\s*\}")


@frozen
class Piece:
    """A piece of a call: the name of a new one, or more of the arguments of the last."""

    name: str = ""
    arguments: str = ""


@define
class CallStream:
    """Reads the text of one region, which may hold several calls; ``rest`` is what it could not tell, ``told`` whether
    it told anything.

    Only the order that models write is read: the name, and then the arguments, which are an object. Anything else stays
    in ``rest``, for those who read a call when it is complete.
    """

    rest: str = ""
    told: bool = False
    _depth: int = 0
    _quoted: bool = False
    _escaped: bool = False
    _inside: bool = False
    _closing: bool = False

    def feed(self, text: str) -> Iterator[Piece]:
        """What *text* adds to what is known."""
        self.rest += text
        while self.rest:
            if self._inside:
                yield Piece(arguments=self._arguments())
            elif self._closing:
                if not (found := _TAIL.match(self.rest)):
                    return
                self.rest, self._closing = self.rest[found.end() :], False
            elif found := _HEAD.match(self.rest):
                self.rest, self._inside, self.told = self.rest[found.end() :], True, True
                yield Piece(name=json.loads(found[1]))
            else:
                return

    @property
    def done(self) -> bool:
        """Whether everything was told."""
        return not self._inside and not self._closing and not self.rest.strip(" \t\r\n;,]")

    @property
    def broken(self) -> bool:
        """Whether a call was told that never came to its end."""
        return self._inside or self._closing

    def _arguments(self) -> str:
        for at, character in enumerate(self.rest):
            if self._ends(character):
                self._inside, self._closing = False, True
                told, self.rest = self.rest[: at + 1], self.rest[at + 1 :]
                return told
        told, self.rest = self.rest, ""
        return told

    def _ends(self, character: str) -> bool:
        """Whether *character* is the last of the object."""
        if self._quoted:
            self._quoted = self._escaped or character != '"'
            self._escaped = character == "\\" and not self._escaped
            return False
        self._quoted = character == '"'
        self._depth += (character in "{[") - (character in "}]")
        return self._depth == 0
