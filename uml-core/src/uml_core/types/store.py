"""Where models lie, and how one gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class StoredModel:
    """One model of a store. ``id`` is what users and the HTTP face call it; ``path`` never leaves the machine."""

    id: str
    path: Path
    size_bytes: int
    store: str


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
    """A place with models. ``list()`` reads the place; ``offer(ref)`` says what it could fetch under that name."""

    name: str
    list: Callable[[], Iterable[StoredModel]]
    offer: Callable[[str], Offer | None] | None = None
