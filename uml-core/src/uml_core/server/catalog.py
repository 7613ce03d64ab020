"""The registry's answers, for an event loop that never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from attrs import frozen

from uml_core.errors import InvalidModelFileError, UMLError
from uml_core.types import ModelSource, StoredModel

KEEP_S = 2.0
MOST_NAMES = 1024


class Models(Protocol):
    """What is asked of :class:`uml_core.registry.Registry`; all of it may read the disk."""

    def models(self) -> list[StoredModel]: ...

    def source(self, model: StoredModel) -> ModelSource: ...

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel: ...


@frozen(kw_only=True)
class Entry:
    """A model, with what its header says or why that can't be read; ``modified_s`` is in seconds since the epoch."""

    model: StoredModel
    modified_s: int = 0
    source: ModelSource | None = None
    error: UMLError | None = None

    @property
    def is_model(self) -> bool:
        """Whether it can be loaded by itself: a projector or an adapter is only a part of what can."""
        return self.source is not None and self.source.kind == "model"


class Catalog:
    """Scans in a thread, one at a time, and remembers the result for two seconds."""

    def __init__(self, registry: Models, *, clock: Callable[[], float] = monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._scan: asyncio.Task[tuple[Entry, ...]] | None = None
        self._scanned_s = 0.0
        self._names: dict[str, tuple[float, str]] = {}

    async def entries(self) -> tuple[Entry, ...]:
        """All models of this machine; who asks during a scan waits for that one."""
        fresh = self._scan is not None and (not self._scan.done() or self._clock() < self._scanned_s + KEEP_S)
        if not fresh:
            self._scan = asyncio.create_task(self._read(), name="scan of the models")
        assert self._scan is not None
        return await asyncio.shield(self._scan)

    async def _read(self) -> tuple[Entry, ...]:
        entries = await asyncio.to_thread(self._entries)
        self._scanned_s = self._clock()
        return entries

    def _entries(self) -> tuple[Entry, ...]:
        return tuple(read(self._registry, model) for model in self._registry.models())

    async def id_of(self, ref: str) -> str:
        """The id of the model that *ref* names.

        :raises ModelNotFoundError: there is none
        """
        known = self._names.get(ref)
        if known is not None and self._clock() < known[0] + KEEP_S:
            return known[1]
        model = await asyncio.to_thread(self._registry.find, ref)
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        self._names[ref] = (self._clock(), model.id)
        return model.id


def read(registry: Models, model: StoredModel) -> Entry:
    """Read one model's header, which may wait for the disk."""
    try:
        modified_s = int(model.path.stat().st_mtime)
        return Entry(model=model, modified_s=modified_s, source=registry.source(model))
    except UMLError as error:
        return Entry(model=model, error=error)
    except OSError as error:
        return Entry(model=model, error=InvalidModelFileError(f"'{model.id}' can't be read: {error.strerror}"))
