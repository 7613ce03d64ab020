"""Remove a model from the disk, and tell what that freed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.errors import ConflictError, ModelNotFoundError, UMLError
from uml_core.inspection.file import shown
from uml_core.types import StoredModel

if TYPE_CHECKING:
    from uml_core.registry import Registry


def remove(registry: Registry, ref: str, *, used: Iterable[str] = ()) -> dict[str, Any]:
    """Remove the model that is called *ref*, by its whole id or an alias: a part of a name is too little for that.

    :param used: the ids of the models that are loaded or about to be
    :returns: ``id`` and ``store`` of what is gone, the names of the files ``removed``, ``freed_bytes``, and under
        ``left`` where the same bytes still lie
    :raises ModelNotFoundError: there is none of that name
    :raises ConflictError: it is loaded, about to be, or pinned
    :raises PermissionDeniedError: another program keeps it
    """
    found = registry.find(ref)
    one = _meant(ref, found, aliases=registry.aliases)
    places = (found, *found.also)
    if any(place.id in used for place in places):
        name = shown(one.id)
        raise ConflictError(f"'{name}' is loaded or about to be; `uml unload` it, then remove it")
    if pinned := next((place.id for place in places if place.id in registry.records.pins), None):
        raise ConflictError(f"'{shown(pinned)}' is pinned, so it stays; take the pin off first")
    before = _sizes(_files(registry, one))
    registry.remove(one)
    removed = [path for path in before if not os.path.lexists(path)]
    return {
        "id": one.id,
        "store": one.store,
        "removed": sorted(path.name for path in removed),
        "freed_bytes": sum(before[path] for path in removed),
        "left": [{"store": place.store, "id": place.id} for place in places if place is not one],
    }


def _meant(ref: str, found: StoredModel, *, aliases: Iterable[str]) -> StoredModel:
    """Which of the places of *found* is called so."""
    for place in (found, *found.also):
        if ref == place.id:
            return place
    if ref in aliases:
        return found
    raise ModelNotFoundError(
        f"there is no model '{shown(ref)}'; did you mean '{shown(found.id)}'? to remove a model takes its whole id"
    )


def _files(registry: Registry, model: StoredModel) -> list[Path]:
    try:
        card = registry.card(model)
    except UMLError:  # what can't be read can be removed all the same
        return _below(model.path)
    return list(dict.fromkeys([*card.files, *card.companions, *_below(model.path)]))


def _below(path: Path) -> list[Path]:
    return [place for place in path.rglob("*") if not place.is_dir()] if path.is_dir() else [path]


def _sizes(files: Iterable[Path]) -> dict[Path, int]:
    """The bytes that the end of each file would free: none of a link, nor of a file that has another name as well."""
    found = {}
    for file in files:
        try:
            state = file.lstat()
        except OSError:
            continue
        found[file] = state.st_size if stat.S_ISREG(state.st_mode) and state.st_nlink == 1 else 0
    return found
