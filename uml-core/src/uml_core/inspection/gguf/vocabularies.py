"""The vocabularies that were walked over more than once.

The files of one family of models have the same vocabulary, and to see that bytes are the same is ten times as fast as
to walk over the strings in them. It is as exact: the same bytes have the same strings.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

KEPT_BYTES = 8 * 2**20
"""What is kept takes no more memory than this, as long as the process lives."""
NOTES = 64
HEAD_BYTES = 64
SMALLEST_STRINGS = 4096


class Vocabularies:
    """Arrays of strings as they stand in a file; those not asked for the longest time are forgotten first.

    What comes for the first time is only noted: to keep it costs as much as a second time saves.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._arrays: OrderedDict[tuple[int, bytes], tuple[bytes, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def like(self, count: int, head: bytes) -> tuple[bytes, ...] | None:
        """The parts of the kept array of *count* strings that starts with *head*: it may be the same one.

        None if none such was asked for before, and no parts if none is kept yet.
        """
        with self._lock:
            parts = self._arrays.pop((count, head), None)
            self._arrays[count, head] = parts or ()
            self._shrink()
        return parts

    def keep(self, count: int, parts: tuple[bytes, ...]) -> None:
        with self._lock:
            self._arrays[count, parts[0][:HEAD_BYTES]] = parts
            self._shrink()

    def forget(self) -> None:
        with self._lock:
            self._arrays.clear()

    def _shrink(self) -> None:
        size_bytes = sum(sum(map(len, parts)) for parts in self._arrays.values())
        while size_bytes > self._most_bytes or len(self._arrays) > NOTES:
            _, parts = self._arrays.popitem(last=False)
            size_bytes -= sum(map(len, parts))


SEEN = Vocabularies()
