"""The one thread that touches the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.errors import StorageError, UMLError
from uml_core.storage.health import Health
from uml_core.storage.inbox import BATCH_ROWS, BURST_ROWS, Inbox
from uml_core.storage.line import decode
from uml_core.storage.order import Order

if TYPE_CHECKING:
    from uml_core.storage.database import Database

PRUNE_S = 3600.0
LEISURE_S = 1.0
BATCHES = BURST_ROWS // BATCH_ROWS + 1  # all that can wait at one moment
log = logging.getLogger(__name__)
OnEvent = Callable[[str, Mapping[str, Any]], None]


class Writer(threading.Thread):
    """Opens the database, writes what the inbox has, answers orders, and goes on trying when it can't.

    A daemon: what it has not written when the process ends is in the journal. What is heavy to import it imports.
    """

    def __init__(
        self, path: Path, inbox: Inbox, *, run_id: str, on_event: OnEvent | None, leisure_s: float = LEISURE_S
    ) -> None:
        super().__init__(name="uml-storage", daemon=True)
        self.health = Health(self._tell)
        self._path = path
        self._inbox = inbox
        self._run_id = run_id
        self._on_event = on_event
        self._database: Database | None = None
        self._leisure_s = leisure_s
        self._refused = False
        self._prune_at = time.monotonic()

    def run(self) -> None:
        # To open the database costs processor time that the start of the gateway needs more; the journal has the rows.
        self._inbox.rest(self._leisure_s)
        while not self._turn():
            self._inbox.wait(self._patience_s())
        if self._database:
            self._database.close()
            self._database = None
        for order in self._inbox.shut(keep=not self._refused):
            self._answer(order)

    def _turn(self) -> bool:
        """Do what there is to do; return whether that was the last time."""
        # Looked at before the rows are taken: who asks, or closes, means every row that was put before.
        closing, orders = self._inbox.closing, self._inbox.orders()
        pressed = closing or any(order.read is None for order in orders)
        if self.health.due or pressed:
            self._attempt(closing=closing)
        for order in orders:
            self._answer(order)
        return closing or self._refused

    def _attempt(self, *, closing: bool) -> None:
        if closing and self._database is None and (self._inbox.leaving or not self._inbox.rows):
            return
        from uml_core.storage.trouble import Refused

        try:
            self._write(self._open())
        except Refused as refusal:
            self._refused = True
            self.health.bad(str(refusal), failed=True)
        except Exception as error:  # noqa: BLE001  # whatever it is, models are served and rows wait
            self._fail(error)
        else:
            self._inbox.tidy()  # first, for a new segment may end the journal's trouble
            self._succeed()
            return
        self._inbox.expect(long=True)
        self._inbox.tidy()

    def _open(self) -> Database:
        from uml_core.storage.opening import bring_up

        if self._database is None:
            journal = self._inbox.journal
            self._database = bring_up(self._path, run_id=self._run_id, journal=journal, tell=self._tell)
        return self._database

    def _write(self, database: Database) -> None:
        for _ in range(BATCHES):
            if not (batch := self._inbox.take()):
                break
            try:
                lost = database.write([entry for line in batch if (entry := decode(line))])
            except BaseException:
                self._inbox.give_back()
                raise
            self._inbox.settle(lost=lost)
        if time.monotonic() >= self._prune_at and not database.prune():
            self._prune_at = time.monotonic() + PRUNE_S

    def _succeed(self) -> None:
        from uml_core.storage.trouble import said_of_journal

        self._inbox.expect(long=False)
        if trouble := self._inbox.journal.trouble:
            self.health.bad(said_of_journal(trouble, self._inbox.journal.folder), failed=False)
        else:
            self.health.good(dropped=self._inbox.dropped)

    def _fail(self, error: Exception) -> None:
        from uml_core.storage.trouble import is_corrupt, is_full, is_outside, said

        if not (is_outside(error) or is_corrupt(error)):
            log.error("the database can't be written", exc_info=error)
        if self._database and not is_full(error):  # a full one can still be read; any other is opened and checked anew
            self._database.close()
            self._database = None
        self.health.bad(said(error, self._path), failed=True)

    def _answer(self, order: Order) -> None:
        if not order.future.set_running_or_notify_cancel():
            return
        try:
            order.future.set_result(self._read(order))
        except UMLError as error:
            order.future.set_exception(error)
        except Exception as error:  # noqa: BLE001  # it is for who asked
            order.future.set_exception(StorageError(self._no_answer(error)))

    def _read(self, order: Order) -> Any:
        if order.read is None:
            return []
        if self._database is None:
            raise StorageError(self.health.degraded or f"the database '{self._path}' is closed")
        return self._database.read(order.read, order.deadline_s)

    def _no_answer(self, error: Exception) -> str:
        from uml_core.storage.trouble import is_late, reason

        if is_late(error):
            return "the database did not answer in time; ask again"
        return f"the database '{self._path}' could not answer: {reason(error)}"

    def _patience_s(self) -> float:
        if self._inbox.rows and not self.health.failed:
            return 0.0
        pauses = [self.health.pause_s, None if self.health.failed else self._prune_at - time.monotonic()]
        return max(0.0, min((pause for pause in pauses if pause is not None), default=PRUNE_S))

    def _tell(self, kind: str, facts: Mapping[str, Any]) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(kind, facts)
        except Exception:  # who listens must not stop what is written
            log.exception("a listener of the database failed")
