"""One model that lies at several places is one model: the places are known, and nothing of it is read whole."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Container, Hashable, Iterable
from pathlib import Path

from attrs import evolve

from uml_core.registry.signature import Signature, signature
from uml_core.types import StoredModel

END_BYTES = 8192
SMALLEST_BYTES = 2**20
"""Smaller files are not compared by their content: alike ones are somebody's samples, and waste nothing."""
MOST_FILES = 256


class Duplicates:
    """Joins what is the same by device and inode, then by a digest that a store knows, then by size and both ends."""

    def __init__(self, apart: Container[str] = ()) -> None:
        """Nothing is read yet.

        :param apart: ids that are a model of their own, whatever else has the same bytes
        """
        self._apart = apart
        self._ends: dict[Path, tuple[Signature, str]] = {}

    def join(self, models: Iterable[StoredModel]) -> list[StoredModel]:
        """The first of those that are the same stays, with the others in ``also``; the order is kept.

        In one store the older name is the first: a new one never takes over what the model is called.
        """
        models = list(models)
        for key in (_inode, _digest, self._content(models)):
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

    def __init__(self, sizes: set[int], known: dict[Path, tuple[Signature, str]]) -> None:
        self._sizes = sizes
        self._known = known

    def __call__(self, model: StoredModel) -> Hashable:
        if model.size_bytes not in self._sizes:
            return None
        now = signature(model.path, ())
        known = self._known.get(model.path)
        if known is None or known[0] != now:
            self._known[model.path] = known = now, _ends(model.path)
        return known[1] or None


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


def _inode(model: StoredModel) -> Hashable:
    try:
        found = model.path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _digest(model: StoredModel) -> Hashable:
    return model.digest


def _ends(path: Path) -> str:
    """A hash of the sizes and of both ends of the files of a model; empty if that can't be read."""
    digest = hashlib.sha256()
    try:
        for file in _files(path):
            _add(digest, file)
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def _files(path: Path) -> list[str]:
    if not path.is_dir():
        return [str(path)]
    with os.scandir(path) as entries:
        return sorted(entry.path for entry, _ in zip(entries, range(MOST_FILES), strict=False) if entry.is_file())


def _add(digest: hashlib._Hash, path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no file")
        digest.update(b"%d:" % found.st_size)
        digest.update(os.pread(descriptor, END_BYTES, 0))
        digest.update(os.pread(descriptor, END_BYTES, max(found.st_size - END_BYTES, 0)))
    finally:
        os.close(descriptor)
