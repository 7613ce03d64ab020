"""What others hand to the writer: rows and orders."""

from __future__ import annotations

import threading
import time

from uml_core.storage.journal import Journal
from uml_core.storage.order import Order
from uml_core.storage.ring import Ring

RING_ROWS = 10_000  # when the database can't be written
BURST_ROWS = 10 * RING_ROWS  # when it only is slower than those who put
BATCH_ROWS = 256
GATHER_S = 0.05


class Inbox:
    """Rows on their way, in memory and in the journal; one lock, held for one append.

    The methods above the line are for everybody, those below for the writer.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.closing = self.leaving = False
        self._shut = False
        self._ring = Ring(BURST_ROWS)
        self._orders: list[Order] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def put(self, line: bytes) -> None:
        with self._lock:
            if self._shut:
                self._ring.dropped += 1
                return
            self.journal.append(line)
            waiting = self._ring.put(line)
        if waiting in (1, BATCH_ROWS):  # an event costs more than all the rest, so only where the writer may sleep
            self._wake.set()

    def order(self, order: Order) -> bool:
        """Hand over an order; False when nobody will ever look at it."""
        with self._lock:
            if self._shut:
                return False
            self._orders.append(order)
        self._wake.set()
        return True

    def close(self, *, leaving: bool = False) -> None:
        """Tell the writer to write what is there, and end; *leaving* it to the journal if no database is open."""
        self.closing, self.leaving = True, leaving
        self._wake.set()

    def lose(self, rows: int) -> None:
        """Count rows that can never be written."""
        with self._lock:
            self._ring.dropped += rows

    @property
    def dropped(self) -> int:
        return self._ring.dropped

    # ---

    def wait(self, limit_s: float) -> None:
        """Until there is something to do: orders and full batches at once, fewer rows after 50 ms."""
        if self._wake.wait(limit_s) and not self._urgent():
            self._wake.clear()
            self._wake.wait(GATHER_S)
        self._wake.clear()

    def rest(self, limit_s: float) -> None:
        """Until there is something that can't wait."""
        end = time.monotonic() + limit_s
        while not self._urgent() and (left_s := end - time.monotonic()) > 0:
            self._wake.wait(left_s)
            self._wake.clear()

    def orders(self) -> list[Order]:
        with self._lock:
            taken, self._orders = self._orders, []
        return taken

    @property
    def rows(self) -> int:
        return len(self._ring)

    def expect(self, *, long: bool) -> None:
        """Say whether rows will wait *long*: then fewer of them are kept."""
        with self._lock:
            self._ring.limit = RING_ROWS if long else BURST_ROWS

    def take(self) -> list[bytes]:
        """The next batch; it must be settled or given back before the one after it."""
        with self._lock:
            return self._ring.take(BATCH_ROWS)

    def settle(self, *, lost: int) -> None:
        """The batch is committed, but for *lost* rows that can never be."""
        with self._lock:
            self._ring.settle()
            self._ring.dropped += lost

    def give_back(self) -> None:
        """The batch could not be committed."""
        with self._lock:
            self._ring.give_back()

    def tidy(self) -> None:
        """Begin a new segment of the journal if it's time to, and delete those that are settled."""
        if self.journal.wants_turn and not self._shut and (segment := self.journal.fresh()):
            with self._lock:
                self.journal.turn(segment, before=self._ring.next)
        with self._lock:
            oldest = self._ring.oldest
        self.journal.forget(before=oldest)

    def shut(self, *, keep: bool) -> list[Order]:
        """Take no more; rows that wait stay in the journal if *keep*, or are dropped. Returns the last orders."""
        with self._lock:
            self._shut = True
            if not keep:
                self._ring.clear()
            self.journal.close(next_row=self._ring.next, settled_before=self._ring.oldest)
            orders, self._orders = self._orders, []
        return orders

    def _urgent(self) -> bool:
        return bool(self.closing or self._orders or len(self._ring) >= BATCH_ROWS)
