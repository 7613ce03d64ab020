"""The models folder: what lies in it is on this machine, and is UML's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from uml_core.errors import ConflictError, PermissionDeniedError, UMLError
from uml_core.inspection.file import shown
from uml_core.registry.parts import parts_beside
from uml_core.registry.variants import variant_of
from uml_core.registry.walk import walk
from uml_core.types import ModelFolder, StoredModel

SUFFIX = ".gguf"


@frozen
class FolderStore:
    """Every model below *folder*, by its path in it: ``org/name`` is the file ``org/name.gguf``."""

    folder: Path
    name: str = "folder"

    def list(self) -> Iterable[ModelFolder]:
        """The folder, for the core to search; one that isn't there is empty."""
        return [ModelFolder(path=self.folder)]

    def model(self, path: Path) -> StoredModel:
        """The model of one file that lies in the folder."""
        id = path.relative_to(self.folder).with_suffix("").as_posix()
        name, variant = variant_of(id)
        return StoredModel(
            id=id, path=path, size_bytes=path.stat().st_size, store=self.name, name=name, variant=variant
        )

    def remove(self, model: StoredModel) -> None:
        """Remove the files of *model*, and the folders that are empty then; links are removed, not followed.

        :raises PermissionDeniedError: it isn't in this folder, or the disk doesn't let this user remove it
        :raises ConflictError: other models lie in its folder
        """
        parent = self._parent(model)
        try:
            if model.path.is_dir() and not model.path.is_symlink():
                _check_alone(model)
                shutil.rmtree(model.path)
            else:
                _remove_files(model)
            _remove_empty(parent, self.folder.resolve())
        except OSError as error:
            raise _denied(model, error) from None

    def _parent(self, model: StoredModel) -> Path:
        """The real folder that *model* lies in: below the models folder, or that itself."""
        try:
            parent, root = model.path.parent.resolve(strict=True), self.folder.resolve(strict=True)
        except OSError as error:
            raise _denied(model, error) from None
        if root not in (parent, *parent.parents) or model.path.name in ("", ".."):
            raise PermissionDeniedError(
                f"'{shown(model.id)}' is not in UML's models folder, and what lies elsewhere is not removed; "
                "remove it with the program that brought it"
            )
        return parent


def _check_alone(model: StoredModel) -> None:
    from uml_core.inspection.plugin import uml_model_formats  # all readers, for what happens once in a while

    others = [
        found.path.relative_to(model.path).as_posix()
        for found in walk(ModelFolder(path=model.path), [*uml_model_formats()], store="")
        if isinstance(found, StoredModel) and found.path != model.path
    ]
    if others:
        raise ConflictError(
            f"'{shown(model.id)}' is a folder with other models in it ('{shown(others[0])}'); remove those first"
        )


def _remove_files(model: StoredModel) -> None:
    files: Sequence[Path] = parts_beside(model.path)
    if not _others(model.path.parent, {*files, *model.companions}):
        files = [*files, *(path for path in model.companions if path.parent == model.path.parent)]
    for path in files:
        path.unlink(missing_ok=True)


def _others(folder: Path, files: set[Path]) -> bool:
    """Whether there are further models in *folder*, which may need the same companions."""
    return any(path.suffix.lower() == SUFFIX and path not in files for path in folder.iterdir())


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root:
        try:
            folder.rmdir()
        except OSError:  # something else is in it
            return
        folder = folder.parent


def _denied(model: StoredModel, error: OSError) -> UMLError:
    return PermissionDeniedError(
        f"'{shown(model.id)}' can't be removed: {error.strerror or error}; look at the permissions of its folder"
    )
