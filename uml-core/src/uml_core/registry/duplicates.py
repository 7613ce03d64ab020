"""One model that lies at several places is one model: the places are known, and nothing of it is read whole."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Hashable, Iterable
from pathlib import Path

from attrs import evolve

from uml_core.registry.belongings import WHOLE, belongings
from uml_core.registry.samples import sampled
from uml_core.registry.variants import PART
from uml_core.types import StoredModel

SMALLEST_BYTES = 2**20
"""Smaller files are not compared by their content: alike ones are somebody's samples, and waste nothing."""
State = tuple[tuple[str, tuple[int, int], int, int], ...]
"""Name, device and inode, size in bytes and time of change in ns of each file."""


class Duplicates:
    """Joins what is the same by device and inode, then by a digest that a store knows, then by size and samples.

    All files of a model count, and those beside it that say how it is used.
    """

    def __init__(self, apart: Container[str] = ()) -> None:
        """Nothing is read yet.

        :param apart: ids that are a model of their own, whatever else has the same bytes
        """
        self._apart = apart
        self._ends: dict[Path, tuple[State, str]] = {}

    def join(self, models: Iterable[StoredModel]) -> list[StoredModel]:
        """The first of those that are the same stays, with the others in ``also``; the order is kept.

        In one store the older name is the first: a new one never takes over what the model is called.
        """
        models = list(models)
        for key in (_Inodes(models), _digest, self._content(models)):
            models = self._joined([(key(model), model) for model in models])
        return models

    def _joined(self, keyed: Iterable[tuple[Hashable, StoredModel]]) -> list[StoredModel]:
        found: dict[Hashable, StoredModel] = {}
        for place, (key, model) in enumerate(keyed):
            if key is None or model.id in self._apart:
                found[(place,)] = model
            elif (known := found.get(key)) is None:
                found[key] = model
            elif model.store == known.store and _since(model) < _since(known):
                found[key] = _with(model, known)
            else:
                found[key] = _with(known, model)
        return list(found.values())

    def _content(self, models: Iterable[StoredModel]) -> _Content:
        sizes = Counter(model.size_bytes for model in models if model.size_bytes >= SMALLEST_BYTES)
        return _Content({size for size, count in sizes.items() if count > 1}, self._ends)


class _Content:
    """The key of a model's content, for those of which another one has the size."""

    def __init__(self, sizes: set[int], known: dict[Path, tuple[State, str]]) -> None:
        self._sizes = sizes
        self._known = known

    def __call__(self, model: StoredModel) -> Hashable:
        if model.size_bytes not in self._sizes:
            return None
        try:
            files = belongings(model.path)
        except (OSError, ValueError):
            return None
        now = tuple((one.name, _inode(one.state), one.state.st_size, one.state.st_mtime_ns) for one in files)
        known = self._known.get(model.path)
        if known is None or known[0] != now:
            self._known[model.path] = known = now, sampled(files)
        return (_own_name(model), known[1]) if known[1] else None


def _with(first: StoredModel, other: StoredModel) -> StoredModel:
    return evolve(
        first,
        also=(*first.also, evolve(other, also=()), *other.also),
        digest=first.digest or other.digest,
        companions=first.companions or other.companions,  # one store may know of a projector, another not
    )


def _since(model: StoredModel) -> tuple[int, str]:
    """Since when it has this name, about; of a link, since when there is the link."""
    try:
        return model.path.lstat().st_mtime_ns, model.id
    except (OSError, ValueError):
        return 0, model.id


class _Inodes:
    """The key of a model's files on the disk, for those of which another one starts with the same file."""

    def __init__(self, models: Iterable[StoredModel]) -> None:
        self._places = Counter(filter(None, map(_place, models)))

    def __call__(self, model: StoredModel) -> Hashable:
        place = _place(model)
        if place is None or self._places[place] < 2 or model.path.is_dir():
            return place
        try:
            return (_own_name(model), *((one.name, *_inode(one.state)) for one in belongings(model.path)))
        except (OSError, ValueError):
            return None


def _place(model: StoredModel) -> tuple[int, int] | None:
    try:
        return _inode(model.path.stat())
    except (OSError, ValueError):
        return None


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _digest(model: StoredModel) -> Hashable:
    """What a store knows is the digest of one file: it says nothing of tensors and tokenizers beside it."""
    alone = model.path.suffix.lower() in WHOLE and PART.fullmatch(model.path.stem) is None
    return model.digest if alone else None


def _own_name(model: StoredModel) -> str:
    """What the files beside it call it, which matters for one that has such."""
    return "" if model.path.suffix.lower() in WHOLE or model.path.is_dir() else model.path.name
