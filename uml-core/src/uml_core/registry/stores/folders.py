"""The further folders with models that the settings name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from uml_core.inspection.file import shown
from uml_core.types import ModelFolder, ModelStore, Unreadable

NAME = "folders"


def store(folders: Sequence[Path]) -> ModelStore:
    def list_models() -> Iterator[ModelFolder | Unreadable]:
        for folder in folders:
            yield _missing(folder) if _is_missing(folder) else ModelFolder(path=folder)

    return ModelStore(name=NAME, list=list_models, folders=tuple(folders))


def _is_missing(folder: Path) -> bool:
    try:
        return not folder.is_dir()
    except (OSError, ValueError):  # it may be there, and the search will say what is wrong
        return False


def _missing(folder: Path) -> Unreadable:
    reason = f"the folder '{shown(folder.name)}' of [registry] in uml.toml is not there; correct `folders`, or make it"
    return Unreadable(path=folder, reason=reason)
