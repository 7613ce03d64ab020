"""The registry's answers, for an event loop that never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from attrs import frozen

from uml_core.errors import InvalidModelFileError, ModelNotFoundError, UMLError, UnavailableError
from uml_core.types import ModelCard, StoredModel, Unreadable

KEEP_S = 2.0
MOST_NAMES = 1024
READ_S = 0.5
"""How long a listing reads headers that are not known yet; what is left then is for a scan."""
PATIENCE_S = 30.0


class Models(Protocol):
    """What is asked of :class:`uml_core.registry.Registry`; all of it may read the disk."""

    @property
    def problems(self) -> tuple[Unreadable, ...]: ...

    def models(self) -> list[StoredModel]: ...

    def known(self, model: StoredModel) -> ModelCard | InvalidModelFileError | None: ...

    def card(self, model: StoredModel) -> ModelCard: ...

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel: ...

    def variants(self, ref: str, *, allow_path: bool = False) -> list[StoredModel]: ...


@frozen(kw_only=True)
class Entry:
    """A model, with what is known of it or why it can't be read; neither, while it waits to be read.

    ``modified_s`` is in seconds since the epoch.
    """

    model: StoredModel
    modified_s: int = 0
    card: ModelCard | None = None
    error: UMLError | None = None

    @property
    def pending(self) -> bool:
        """Whether its header was not read yet."""
        return self.card is None and self.error is None

    @property
    def loadable(self) -> bool:
        """Whether it can be loaded: a projector is only a part of what can, and nothing may be missing."""
        return self.card is not None and self.card.kind == "model" and self.card.complete


@frozen(kw_only=True)
class Shelf:
    """All models of this machine as they were at one moment, and the places that could not be looked into."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Unreadable, ...] = ()

    @property
    def pending(self) -> int:
        """How many models were not read yet."""
        return sum(entry.pending for entry in self.entries)


class Catalog:
    """Lists in a thread, one at a time, and remembers the result for two seconds.

    What is known of a model is not read again, and what isn't is read for half a second at most: more than that is the
    work of a scan.
    """

    def __init__(
        self,
        registry: Models,
        *,
        on_pending: Callable[[], object] = lambda: None,
        read_s: float = READ_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Nothing is listed yet.

        :param on_pending: called when a listing had to leave models unread
        :param read_s: how long a listing may read headers
        """
        self._registry = registry
        self._on_pending = on_pending
        self._read_s = read_s
        self._clock = clock
        self._listing: asyncio.Task[Shelf] | None = None
        self._listed_s = 0.0
        self._names: dict[str, tuple[float, str]] = {}
        self._variants: dict[str, tuple[float, frozenset[str]]] = {}

    async def shelf(self) -> Shelf:
        """All models of this machine; who asks during a listing waits for that one.

        :raises UnavailableError: a disk does not answer; the listing goes on
        """
        fresh = self._listing is not None and (not self._listing.done() or self._clock() < self._listed_s + KEEP_S)
        if not fresh:
            self._listing = asyncio.create_task(self._list(), name="listing of the models")
        assert self._listing is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(self._listing)
        except TimeoutError:
            raise UnavailableError(
                f"a folder with models did not answer within {PATIENCE_S:g} s, perhaps a disk of another machine; "
                "ask again, and look at the folders in [registry] of uml.toml",
                retry_after_s=5,
            ) from None

    async def entries(self) -> tuple[Entry, ...]:
        """All models of this machine."""
        return (await self.shelf()).entries

    def forget(self) -> None:
        """Something has changed: what is asked from now on is looked up anew."""
        self._names.clear()
        self._variants.clear()
        self._listed_s = 0.0
        if self._listing is not None and not self._listing.done():
            self._listing = None  # it may have looked before the change; who waits for it has it all the same

    async def _list(self) -> Shelf:
        task = asyncio.current_task()
        shelf = await asyncio.to_thread(shelf_of, self._registry, read_s=self._read_s)
        if self._listing is task:
            self._listed_s = self._clock()
        if shelf.pending:
            self._on_pending()
        return shelf

    async def id_of(self, ref: str) -> str:
        """The id of the model that *ref* names.

        :raises ModelNotFoundError: there is none, or several
        """
        known = self._names.get(ref)
        if known is not None and self._clock() < known[0] + KEEP_S:
            return known[1]
        try:
            model = await asyncio.to_thread(self._registry.find, ref)
        except ModelNotFoundError as error:
            error.param = "model"  # it's what the field is called wherever a model is asked for
            raise
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        self._names[ref] = (self._clock(), model.id)
        return model.id

    async def variants_of(self, ref: str) -> frozenset[str]:
        """The ids of all variants of the model that *ref* names without one; else of the one that it names.

        :raises ModelNotFoundError: there is none, or several models
        """
        known = self._variants.get(ref)
        if known is not None and self._clock() < known[0] + KEEP_S:
            return known[1]
        ids = frozenset(model.id for model in await asyncio.to_thread(self._registry.variants, ref))
        if len(self._variants) >= MOST_NAMES:
            self._variants.clear()
        self._variants[ref] = (self._clock(), ids)
        return ids


def shelf_of(registry: Models, *, read_s: float) -> Shelf:
    """List the models; headers that are not known are read for *read_s* seconds in all. Blocks."""
    models = registry.models()
    problems, until_s = registry.problems, monotonic() + read_s
    entries = tuple(read(registry, model, header=monotonic() < until_s) for model in models)
    return Shelf(entries=entries, problems=problems)


def read(registry: Models, model: StoredModel, *, header: bool = True) -> Entry:
    """Look at one model, which may wait for the disk.

    :param header: read its header if what it says is not known
    """
    try:
        modified_s = int(model.path.stat().st_mtime)
        known = registry.known(model)
        if known is None and header:
            known = registry.card(model)
        if isinstance(known, UMLError):
            return Entry(model=model, modified_s=modified_s, error=known)
        return Entry(model=model, modified_s=modified_s, card=known)
    except UMLError as error:
        return Entry(model=model, error=error)
    except OSError as error:
        return Entry(model=model, error=InvalidModelFileError(f"'{model.id}' can't be read: {error.strerror}"))
