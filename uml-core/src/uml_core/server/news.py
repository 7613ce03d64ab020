"""What the database tells of itself, from its own thread to those who listen to events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uml_core.supervisor.events import Events


class StorageNews:
    """A callback for :class:`uml_core.storage.Storage`; what comes before there are ``events`` is in the log only.

    ``on_new`` is called, from the storage's thread, when a corrupt database was replaced by a new one.
    """

    def __init__(self) -> None:
        self.events: Events | None = None
        self.on_new: Callable[[], object] = lambda: None
        self._loop = asyncio.get_running_loop()

    def __call__(self, kind: str, facts: Mapping[str, Any]) -> None:
        if kind == "corrupt":
            self.on_new()
        with contextlib.suppress(RuntimeError):  # the last news may come after the loop's end
            self._loop.call_soon_threadsafe(self._publish, kind, dict(facts))

    def _publish(self, kind: str, facts: dict[str, Any]) -> None:
        if self.events is not None:
            self.events.publish("storage", {"state": kind, **facts})
