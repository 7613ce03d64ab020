"""Standard error as a place that may be slow, stopped or gone, and never holds up the gateway."""

from __future__ import annotations

import io
import os
import select
from typing import TextIO

PIECE_BYTES = 4096
"""A pipe that has room has at least this much of it (PIPE_BUF), so that a write of no more never blocks."""


class Outlet(io.TextIOBase):
    """Writes what can be written now, and drops whole lines otherwise; once there is room again it says how many.

    A reader that has gone is nothing to fail for: nobody reads it, but the log's file has it all.
    """

    def __init__(self, stream: TextIO) -> None:
        """Stand before *stream*, which has a descriptor."""
        self.dropped = 0
        self._stream = stream
        self._descriptor = stream.fileno()
        self._gone = False

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Take *text*, whole lines of it; always all of it, whatever becomes of it."""
        if self._gone:
            return len(text)
        if self.dropped and self._put(f"({self.dropped} lines of the log are only in its file)\n"):
            self.dropped = 0
        if self.dropped or not self._put(text):
            self.dropped += text.count("\n")
        return len(text)

    def _put(self, text: str) -> bool:
        """Whether it was written, or at least begun: what follows of a long line may still be lost."""
        data, begun = text.encode("utf-8", "replace"), False
        try:
            while data and self._has_room():
                data, begun = data[os.write(self._descriptor, data[:PIECE_BYTES]) :], True
        except BrokenPipeError:
            self._gone = True
        except OSError:  # a full disk: there may be room again
            pass
        return begun or self._gone

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return any(event & select.POLLOUT for _, event in poll.poll(0)) or self._is_gone(poll)

    def _is_gone(self, poll: select.poll) -> bool:
        self._gone = any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in poll.poll(0))
        return False
