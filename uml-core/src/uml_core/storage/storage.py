"""The face of the database: put rows, ask questions, know when it is in trouble."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.errors import StorageError
from uml_core.storage.inbox import Inbox
from uml_core.storage.journal import Journal
from uml_core.storage.line import encode
from uml_core.storage.order import Order, Read, Row
from uml_core.storage.writer import LEISURE_S, OnEvent, Writer

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy.sql import Executable

FILE, JOURNAL = "uml.db", "journal"
READ_S = 2.0
BOOT_READ_S = 15.0
log = logging.getLogger(__name__)


class Storage:
    """One database in *folder*, for one process: ``gateway.lock`` sees to that.

    ``run_id`` names this run of the gateway; rows get it unless they have one. Any thread may call any method. What
    goes wrong with the disk goes wrong here only: rows wait, ``degraded`` says why, and it is tried again.

    :param on_event: told, from the writer's thread, of ``corrupt`` (``reason``, ``kept``), ``migrated`` (``from``,
        ``to``, ``backup``), ``degraded`` (``reason``) and ``recovered`` (``dropped``)
    """

    def __init__(
        self,
        folder: Path,
        *,
        run_id: str | None = None,
        on_event: OnEvent | None = None,
        leisure_s: float = LEISURE_S,
    ) -> None:
        """Nothing is touched yet.

        :param leisure_s: how long the database may stay closed while nobody asks for it: to open it costs time that
            the start of a process needs more
        """
        self.run_id = run_id or os.urandom(8).hex()
        self._inbox = Inbox(Journal(folder / JOURNAL))
        self._writer = Writer(folder / FILE, self._inbox, run_id=self.run_id, on_event=on_event, leisure_s=leisure_s)

    def start(self) -> None:
        """Begin to keep rows, which needs the journal only; the database is opened, checked and migrated meanwhile."""
        self._inbox.journal.open()
        self._writer.start()

    def close(self, timeout_s: float = 5.0, *, leaving: bool = False) -> None:
        """Write what is there, and end; blocks. What is not written in time is in the journal for the next start.

        :param leaving: leave it to the journal if the database was never opened
        """
        if self._writer.ident is None:
            return
        self._inbox.close(leaving=leaving)
        self._writer.join(timeout_s)
        if self._writer.is_alive():
            log.warning("the database takes longer than %g s to close; the journal has what is not in it", timeout_s)

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row, or update the given columns of the one with that ``id``.

        Returns at once and never raises. From then on a kill of this process can't lose the row; it is in the database
        within 50 ms or so. A row that can't be kept is counted in ``dropped``.
        """
        try:
            line = encode(table, self.run_id, row)
        except Exception:  # a row is never worth a request
            log.exception("a row for table %r can't be written as JSON", table)
            self._inbox.lose(1)
            return
        self._inbox.put(line)

    async def select(self, read: Read | Executable, *, limit_s: float = READ_S) -> list[Row]:
        """Read rows: of a SELECT, or of a function that gets the connection and runs on the writer's thread.

        Every row that was put before is seen. What the function changes is taken back.

        :raises StorageError: there is no database at the moment, or no answer within *limit_s*
        """
        import asyncio

        answer = asyncio.wrap_future(self._order(read, limit_s))
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except TimeoutError:
            raise StorageError(f"the database did not answer within {limit_s:g} s; ask again") from None

    async def load_seconds(self, model_id: str, backend: str) -> list[float]:
        """How long the last 10 loads of a model took, newest first; empty when none is known, or can't be read now."""

        def read(connection: Any) -> Any:
            from uml_core.storage.queries import load_seconds

            return load_seconds(connection, model_id, backend)

        return [row["seconds"] for row in await self._known(read, READ_S)]

    async def last_load(self) -> Row | None:
        """The row of the newest committed load that no committed unload followed; None as well when it can't be read.

        Waits for the database to be opened, and migrated, if it is not yet.
        """

        def read(connection: Any) -> Any:
            from uml_core.storage.queries import last_load

            return last_load(connection)

        return next(iter(await self._known(read, BOOT_READ_S)), None)

    def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until all rows so far are written, or an attempt to has failed; blocks."""
        import contextlib

        with contextlib.suppress(StorageError, TimeoutError):
            self._order(None, timeout_s).result(timeout_s)

    @property
    def degraded(self) -> str | None:
        """Why rows can't be kept as they should, and what to do; None: all is well."""
        return self._writer.health.degraded

    @property
    def dropped(self) -> int:
        """How many rows were lost since the start."""
        return self._inbox.dropped

    async def _known(self, read: Read, limit_s: float) -> list[Row]:
        """What can be read; nothing that is asked so is worth a failed load."""
        try:
            return await self.select(read, limit_s=limit_s)
        except StorageError as error:
            log.warning("%s", error)
            return []

    def _order(self, read: Read | Executable | None, limit_s: float) -> Future[list[Row]]:
        from concurrent.futures import Future

        future: Future[list[Row]] = Future()
        if not self._inbox.order(Order(read, time.monotonic() + limit_s, future)):
            future.set_exception(StorageError(self.degraded or "the database is closed"))
        return future
