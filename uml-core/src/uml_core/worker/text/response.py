"""Reads an answer while it is written: what is said, what is thought, what is called."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core.worker.delta import Delta
from uml_core.worker.text.family import Family
from uml_core.worker.text.tools import ToolUse


class ResponseReader:
    """Turns the text of one answer into deltas; however the text is cut into pieces, the result is the same.

    ``thinking`` says that what comes next is thought as far as is known, ``called`` that a tool was called: then the
    answer's finish reason is ``tool_calls``, unless it is ``length``.
    """

    def __init__(self, family: Family, *, prompt: str, tools: ToolUse) -> None:
        self.thinking = False
        self.called = False

    def feed(self, text: str) -> Iterable[Delta]:
        """Read more; a Delta has only ``text``, ``reasoning`` and ``tool_calls``. Often there's nothing to say yet."""
        raise NotImplementedError

    def finish(self) -> Iterable[Delta]:
        """Read the end: what was held back comes now."""
        raise NotImplementedError
