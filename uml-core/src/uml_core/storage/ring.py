"""The rows that wait for the database, in memory."""

from __future__ import annotations

from collections import deque
from itertools import islice


class Ring:
    """A bounded queue of lines; a full one drops its oldest, and counts that.

    Lines are numbered as they come. ``oldest`` is the number of the oldest that is not settled, ``next`` the one that
    the next line gets: whatever has a smaller number than ``oldest`` needs no journal any more. Not for two threads at
    once: the inbox has a lock.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self.next = 0
        self.limit = limit
        self._lines: deque[bytes] = deque()
        self._taken: list[bytes] = []

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def oldest(self) -> int:
        return self.next - len(self._lines) - len(self._taken)

    def put(self, line: bytes) -> int:
        """Add a line; return how many wait now."""
        while len(self._lines) >= self.limit:  # more than once, where the limit was lowered
            self._lines.popleft()
            self.dropped += 1
        self._lines.append(line)
        self.next += 1
        return len(self._lines)

    def take(self, count: int) -> list[bytes]:
        """The oldest lines, at most *count*; they are in hand until they are settled or given back."""
        self._taken = list(islice(self._lines, count))
        for _ in self._taken:
            self._lines.popleft()
        return self._taken

    def settle(self) -> None:
        """What was taken is in the database."""
        self._taken = []

    def give_back(self) -> None:
        """What was taken waits again; of what has no room any more the oldest go."""
        lost = max(0, len(self._taken) + len(self._lines) - self.limit)
        self.dropped += lost
        self._lines.extendleft(reversed(self._taken[lost:]))
        self._taken = []

    def clear(self) -> None:
        """Drop all that waits."""
        self.dropped += len(self._lines)
        self._lines.clear()
