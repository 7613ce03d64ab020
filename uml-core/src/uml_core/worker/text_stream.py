"""From pieces to text that can be sent: whole characters, and nothing of a stop sequence."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Joins the pieces of one answer. ``stopped`` is set once a stop sequence was met; nothing comes after it."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = tuple(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def feed(self, piece: str | bytes) -> str:
        """Take a piece, and give what is certain to belong to the answer."""
        text = piece if isinstance(piece, str) else self._decoder.decode(piece)
        return self._release(self._held + text) if self._stops else text

    def flush(self) -> str:
        """Give what was held back; half a character becomes U+FFFD."""
        text = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return "" if self.stopped else text

    def _release(self, text: str) -> str:
        ends = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if ends:
            self.stopped, self._held = True, ""
            return text[: min(ends)]
        held = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of *text* may be the beginning of *stop*."""
    sizes = range(min(len(stop) - 1, len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(stop[:size])), 0)
