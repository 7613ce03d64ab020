"""The white space between the parts of an answer, which belongs to none of them."""

from __future__ import annotations


class Edges:
    """Passes text on without the white space around thoughts and calls, however the text is cut.

    An answer that has neither keeps all of its own.
    """

    def __init__(self) -> None:
        self._held = ""
        self._fresh = False
        self._thought = False

    def turn(self) -> None:
        """A thought or a call begins: what was held back stood only before it."""
        self._held, self._fresh = "", True

    def pass_on(self, text: str, *, thought: bool) -> str:
        """What can be told now; white space at the end waits for what comes next."""
        if thought != self._thought:
            self._held, self._fresh, self._thought = "", True, thought
        if self._fresh:
            text = text.lstrip()
            self._fresh = not text
        whole = self._held + text
        said = whole.rstrip()
        self._held = whole[len(said) :]
        return said

    def rest(self) -> str:
        """What was held back at the end of all; white space after a thought that was the last stays untold."""
        return "" if self._thought else self._held
