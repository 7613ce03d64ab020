"""What a person types: edited by readline, remembered in a file, several lines if they want."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

PROMPT = ">>> "
MORE = "... "
FENCE = '"""'
HISTORY_LINES = 1000


class Line:
    """Reads messages at a prompt. The history file is for the person alone (0600)."""

    def __init__(self, history_file: Path) -> None:
        self._file = history_file

    def __enter__(self) -> Self:
        import readline

        readline.set_history_length(HISTORY_LINES)
        with contextlib.suppress(OSError):
            readline.read_history_file(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import readline

        with contextlib.suppress(OSError):  # a conversation without a memory is still one
            self._file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600))
            readline.write_history_file(self._file)

    def read(self) -> str | None:
        """One message, stripped; None at the end of input. Ctrl-C raises KeyboardInterrupt."""
        try:
            line = input(PROMPT)
            if line.lstrip().startswith(FENCE):
                return self._fenced(line.lstrip().removeprefix(FENCE))
            lines = [line]
            while lines[-1].endswith("\\"):
                lines[-1] = lines[-1].removesuffix("\\")
                lines.append(input(MORE))
        except EOFError:
            print()  # the shell's prompt begins on a line of its own
            return None
        return "\n".join(lines).strip()

    def _fenced(self, line: str) -> str:
        lines = [line]
        while not lines[-1].rstrip().endswith(FENCE):
            lines.append(input(MORE))
        lines[-1] = lines[-1].rstrip().removesuffix(FENCE)
        return "\n".join(lines).strip()
