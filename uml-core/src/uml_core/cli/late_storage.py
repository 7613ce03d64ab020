"""A storage for a process that mostly reads: it takes ``gateway.lock`` with the first row, not before."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uml_core.errors import GatewayRunningError
from uml_core.server.compose import storage_of
from uml_core.server.gateway import hold
from uml_core.storage import NoStorage, Storage

if TYPE_CHECKING:
    from uml_core.settings import Settings

LEISURE_S = 30.0
"""A few rows are left to the journal, which costs nothing; many have the database opened whatever this says."""


class LateStorage(NoStorage):
    """Keeps rows if this process may: while another one holds the data folder they are forgotten without a word."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._storage: Storage | None = None
        self._lock = threading.Lock()
        self._held = contextlib.ExitStack()

    def begin(self) -> Storage:
        """Take the lock now, and keep it until the end.

        :raises GatewayRunningError: another process holds the data folder
        """
        self._held.enter_context(hold(self._settings.run_folder))
        self._storage = storage_of(self._settings, leisure_s=LEISURE_S)
        self._storage.start()
        return self._storage

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        with self._lock:
            storage = self._storage or self._begun()
        storage.put(table, row)

    def _begun(self) -> Storage:
        try:
            return self.begin()
        except (GatewayRunningError, OSError):  # what was read is only a memory; the next one reads it again
            self._storage = NoStorage()
            return self._storage

    def close(self, timeout_s: float = 5.0, *, leaving: bool = True) -> None:
        if self._storage is not None:
            self._storage.close(timeout_s, leaving=leaving)
        self._held.close()
