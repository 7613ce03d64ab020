"""Text that arrives in pieces, with whole words at the terminal's edge."""

from __future__ import annotations

from collections.abc import Callable

from attrs import mutable
from rich.cells import cell_len

LONGEST_WORD = 40
"""A longer word is written as it comes."""
TAB = 8


@mutable
class Wrapped:
    """Holds back the last word until it's whole, and never rewrites what was written.

    :param write: takes the text that is ready
    :param columns: how wide the terminal is now
    """

    _write: Callable[[str], object]
    _columns: Callable[[], int]
    _column: int = 0
    _word: str = ""

    def feed(self, piece: str) -> None:
        """Take the next piece of the text."""
        ready = "".join(self._step(letter) for letter in piece)
        if ready:
            self._write(ready)

    def end(self) -> None:
        """Write what is held back."""
        ready = self._flushed()
        if ready:
            self._write(ready)

    def _step(self, letter: str) -> str:
        if letter.isspace():
            return self._flushed() + self._space(letter)
        if cell_len(letter) > 1:  # scripts without spaces may break anywhere
            return self._flushed() + self._placed(letter)
        self._word += letter
        return self._flushed() if len(self._word) >= LONGEST_WORD else ""

    def _flushed(self) -> str:
        word, self._word = self._word, ""
        return self._placed(word) if word else ""

    def _space(self, letter: str) -> str:
        if letter == "\n":
            self._column = 0
            return letter
        width = TAB - self._column % TAB if letter == "\t" else 1
        self._column = min(self._column + width, self._columns())
        return letter if self._column < self._columns() else ""  # at the edge the next word begins a line instead

    def _placed(self, word: str) -> str:
        width, columns = cell_len(word), max(1, self._columns())
        breaks = self._column > 0 and self._column + width > columns
        self._column = ((0 if breaks else self._column) + width - 1) % columns + 1
        return "\n" + word if breaks else word
