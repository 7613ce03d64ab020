"""Where models lie, and how one gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class StoredModel:
    """One model of a store, known by names and sizes only.

    ``id`` is what users and the HTTP face call it; ``path``, a file or a folder, never leaves the machine. ``name`` is
    the model that this is the ``variant`` of, such as ``org/name`` and ``Q4_K_M``; a model without variants is its own.
    ``digest`` is the SHA-256 of the file at ``path`` in hex, if the store knows it. ``companions`` are the projectors
    and adapters that the store has for it. ``also`` are the same bytes at other places.
    """

    id: str
    path: Path
    size_bytes: int
    store: str
    name: str = ""
    variant: str | None = None
    digest: str | None = None
    companions: tuple[Path, ...] = ()
    also: tuple[StoredModel, ...] = ()

    @property
    def model_name(self) -> str:
        return self.name or self.id


@frozen(kw_only=True)
class ModelFolder:
    """A folder in which the core finds the models itself, by the formats that are installed.

    They are called by their path in it; with a ``name`` such as ``org/name``, which is one model's, ``name:VARIANT``.
    Links to folders are not followed. Links to files are, but with a ``root``, as of a store that other programs fill,
    only where they stay below it. Files in the folder ``blobs``, below ``root``, are called by their SHA-256.
    """

    path: Path
    name: str = ""
    root: Path | None = None
    blobs: Path | None = None


@frozen(kw_only=True)
class Unreadable:
    """A place of a store that can't be read, and the sentence that says why and what to do."""

    reason: str
    path: Path | None = None


Progress = Callable[[int, int], None]
"""Called with the bytes that are here and the bytes in all."""


@frozen(kw_only=True)
class Offer:
    """A model that a store could fetch, described before a byte is moved.

    ``fetch(progress)`` downloads, verifies and stores it; it raises :class:`~uml_core.errors.PullError`.
    """

    id: str
    title: str
    source: str
    size_bytes: int
    license: str
    fetch: Callable[[Progress], StoredModel]


@frozen(kw_only=True)
class ModelStore:
    """A place with models.

    ``list()`` says what is there without reading a model: models, folders for the core to search, and what can't be
    read. ``offer(ref)`` says what it could fetch under that name. ``remove(model)`` removes one of its models from the
    disk; a store that another program keeps has none. ``folders`` are what changes when a model comes or goes.
    """

    name: str
    list: Callable[[], Iterable[StoredModel | ModelFolder | Unreadable]]
    offer: Callable[[str], Offer | None] | None = None
    remove: Callable[[StoredModel], None] | None = None
    folders: tuple[Path, ...] = ()
