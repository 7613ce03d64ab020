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
        self._arrays: OrderedDict[tuple[int, bytes], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def like(self, count: int, head: bytes) -> bytes | None:
        """The kept array of *count* strings that starts with *head*: it may be the same one.

        None if none such was asked for before, and no bytes if none is kept yet.
        """
        with self._lock:
            array = self._arrays.pop((count, head), None)
            self._arrays[count, head] = array or b""
            self._shrink()
        return array

    def keep(self, count: int, array: bytes) -> None:
        with self._lock:
            self._arrays[count, array[:HEAD_BYTES]] = array
            self._shrink()

    def forget(self) -> None:
        with self._lock:
            self._arrays.clear()

    def _shrink(self) -> None:
        while len(self._arrays) > NOTES or sum(map(len, self._arrays.values())) > self._most_bytes:
            self._arrays.popitem(last=False)


SEEN = Vocabularies()
