"""llama.cpp's cache of before it shared the Hugging Face hub's: one folder with ``org_repository_file.gguf``."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from uml_core.registry.parts import FileSet, sets_of
from uml_core.registry.projectors import is_projector, of_model
from uml_core.registry.root import Root
from uml_core.registry.stores.downloads import Download, downloads
from uml_core.registry.stores.huggingface import repositories
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import entries
from uml_core.registry.variants import variant_of
from uml_core.types import ModelFolder, ModelStore, StoredModel, Unreadable

NAME = "llama.cpp"
SUFFIX = ".gguf"


def store(places: Places) -> ModelStore:
    folder = _folder(places)
    return ModelStore(name=NAME, list=lambda: _models(folder), folders=(folder,))


def _folder(places: Places) -> Path:
    if (named := places.named("LLAMA_CACHE")) is not None:
        return named
    if places.platform == "darwin":
        return places.home / "Library/Caches/llama.cpp"
    return (places.local_data if places.platform == "win32" else places.cache) / "llama.cpp"


def _models(folder: Path) -> Iterator[StoredModel | ModelFolder | Unreadable]:
    """The files of the folder, and what newer versions bring into it if LLAMA_CACHE names it."""
    problems: list[Unreadable] = []
    found = entries(folder, problems, store=NAME)
    sizes = {entry.name: size for entry in found if (size := _size_bytes(entry, folder)) is not None}
    known = downloads(folder, [entry.name for entry in found])
    projectors = {Path(name).stem: name for name in sizes if is_projector(name)}
    sets = sets_of({name: size for name, size in sizes.items() if not is_projector(name)}, (SUFFIX,))
    taken: set[str] = set()
    for one in sets:
        origin = known.get(one.names[0])
        beside = of_model(one.stem, projectors, alone=False) if origin is None else []
        named = origin.projector if origin else None
        names = [projectors[stem] for stem in beside] if origin is None else [named] if named in sizes else []
        model = _model(folder, one, origin, companions=tuple(folder / name for name in names if name))
        yield model if model.id not in taken else _model(folder, one, None, companions=model.companions)
        taken.add(model.id)
    yield from repositories(folder, store=NAME)
    yield from problems


def _model(folder: Path, one: FileSet, origin: Download | None, *, companions: tuple[Path, ...]) -> StoredModel:
    base, variant = variant_of(one.stem)
    name, id = base, one.stem
    if origin is not None:
        name, id = origin.repository, f"{origin.repository}:{variant}" if variant else origin.repository
    return StoredModel(
        id=id,
        path=folder / one.names[0],
        size_bytes=one.size_bytes,
        store=NAME,
        name=name,
        variant=variant,
        digest=origin.digest if origin and len(one.names) == 1 else None,
        companions=companions,
    )


def _size_bytes(entry: os.DirEntry[str], folder: Path) -> int | None:
    """The size of a file of the cache; None for what is no model, or lies elsewhere."""
    if not entry.name.lower().endswith(SUFFIX):
        return None
    try:
        found = entry.stat()
    except OSError:
        return None
    outside = entry.is_symlink() and not Root(folder).has(entry.path)
    return found.st_size if stat.S_ISREG(found.st_mode) and not outside else None
