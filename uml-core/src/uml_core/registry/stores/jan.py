"""Jan: for each model a ``model.yml`` that says where its files are.

The folder by the app's own rules: https://github.com/janhq/jan, ``src-tauri/src/core/app``
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.registry.parts import parts_beside
from uml_core.registry.root import Root
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import entries, read_text, setting, value_in
from uml_core.registry.variants import variant_of
from uml_core.types import ModelStore, StoredModel, Unreadable

NAME = "jan"
MODELS = "models"
"""Each engine has a folder in the data folder, and its models in a folder of this name in that."""

CARD = "model.yml"
SUFFIX = ".gguf"
"""What other engines have, such as MLX, is no model of one file."""

DEPTH = 4
"""A model's id, and with it the path of its folder, may have slashes."""


def store(places: Places) -> ModelStore:
    data_folders = _data_folders(places)

    def list_models() -> Iterator[StoredModel | Unreadable]:
        for data in data_folders:
            problems: list[Unreadable] = []
            for engine in _engines(data, problems):
                yield from _Engine(data, engine, Root(data)).models("")
            yield from problems

    watched = [engine for data in data_folders for engine in _engines(data, [])]
    return ModelStore(name=NAME, list=list_models, folders=tuple(watched) or data_folders)


def _engines(data: Path, problems: list[Unreadable]) -> list[Path]:
    """The folders of models in the data folder."""
    folders = [
        Path(entry.path, MODELS) for entry in entries(data, problems, store=NAME) if entry.is_dir(follow_symlinks=False)
    ]
    return [folder for folder in folders if _is_folder(folder)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:  # the search says so
        return True


def _data_folders(places: Places) -> tuple[Path, ...]:
    """Where its data is now, and where it was before an update."""
    if (named := places.named("JAN_DATA_FOLDER")) is not None:
        return (named,)
    root = places.named("JAN_DATA_ROOT") or places.data
    homes = [root / "Jan"] if places.platform in ("win32", "darwin") else [root / "Jan", places.config / "Jan"]
    chosen = (places.absolute(setting(home / "settings.json", "data_folder") or "") for home in homes)
    return tuple(dict.fromkeys(path or home / "data" for home, path in zip(homes, chosen, strict=True)))


@frozen
class _Engine:
    """The models in the folder *path* of one engine."""

    data: Path
    path: Path
    root: Root

    def models(self, id: str) -> Iterator[StoredModel | Unreadable]:
        """Those in the folder of the model *id*, or in folders of it."""
        problems: list[Unreadable] = []
        found = entries(self.path / id, problems, store=NAME)
        if id and any(entry.name == CARD for entry in found):
            yield from self._model(id)
        elif id.count("/") < DEPTH:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    yield from self.models(f"{id}/{entry.name}" if id else entry.name)
        yield from problems

    def _model(self, id: str) -> Iterator[StoredModel | Unreadable]:
        try:
            card = read_text(self.path / id / CARD)
            path = self._file(card, "model_path")
            if path is None:
                yield self._unusable(id, f"its {CARD} names no file in Jan's data folder")
            elif path.suffix.lower() == SUFFIX:
                yield self._stored(id, path, self._file(card, "mmproj_path"))
        except InvalidModelFileError as error:
            yield self._unusable(id, str(error).partition(";")[0])
        except OSError as error:
            yield self._unusable(id, f"its file can't be read: {error.strerror}")

    def _stored(self, id: str, path: Path, projector: Path | None) -> StoredModel:
        name, variant = variant_of(id)
        return StoredModel(
            id=id,
            path=path,
            size_bytes=sum(part.stat().st_size for part in parts_beside(path)),
            store=NAME,
            name=name,
            variant=variant or variant_of(path.stem)[1],
            companions=(projector,) if projector and projector.is_file() else (),
        )

    def _unusable(self, id: str, why: str) -> Unreadable:
        way_out = "fetch it again in Jan, or add the folder of its file to `folders` of [registry] in uml.toml"
        return Unreadable(path=self.path / id, reason=f"Jan's '{shown(id)}' can't be used: {why}; {way_out}")

    def _file(self, card: str, key: str) -> Path | None:
        """The file that *card* names under *key*, if it is in the data folder and stays there."""
        value = value_in(card, key, separator=":")
        if value is None or "\0" in value:
            return None
        path = self.data / value  # an absolute one replaces the folder
        return path if self.root.has(str(path)) else None
