"""LM Studio: ``publisher/repository`` folders with GGUF files or MLX models in them.

Its command line's own way to find them: https://github.com/lmstudio-ai/lms
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import entries, read_text, setting
from uml_core.types import ModelFolder, ModelStore, Unreadable

NAME = "lmstudio"
POINTER = ".lmstudio-home-pointer"
POINTER_BYTES = 32_768


def store(places: Places) -> ModelStore:
    folders = _folders(places)

    def list_models() -> Iterator[ModelFolder | Unreadable]:
        for folder in folders:
            yield from _repositories(folder)

    return ModelStore(name=NAME, list=list_models, folders=folders)


def _folders(places: Places) -> tuple[Path, ...]:
    """Where its models lie, and those that came with it."""
    home = _home(places)
    chosen = places.absolute(setting(home / "settings.json", "downloadsFolder") or "")
    return chosen or home / "models", home / ".internal/bundled-models"


def _home(places: Places) -> Path:
    try:
        pointed = places.absolute(read_text(places.home / POINTER, most_bytes=POINTER_BYTES))
    except InvalidModelFileError:
        pointed = None
    old = places.home / ".cache/lm-studio"
    return pointed or (old if old.is_dir() else places.home / ".lmstudio")


def _repositories(folder: Path) -> Iterator[ModelFolder | Unreadable]:
    problems: list[Unreadable] = []
    for publisher in entries(folder, problems, store=NAME):
        if publisher.is_dir():
            for repository in entries(Path(publisher.path), problems, store=NAME):
                if repository.is_dir():
                    name = f"{publisher.name}/{repository.name}"
                    yield ModelFolder(path=Path(repository.path), name=name, root=folder)
    yield from problems
