"""Jan: for each model a ``model.yml`` that says where its files are.

The folder by the app's own rules: https://github.com/janhq/jan, ``src-tauri/src/core/app``
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.registry.parts import parts_beside
from uml_core.registry.root import Root
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import entries, read_text, setting, value_in
from uml_core.registry.variants import variant_of
from uml_core.types import ModelStore, StoredModel, Unreadable

NAME = "jan"
MODELS = "llamacpp/models"
CARD = "model.yml"
DEPTH = 4
"""A model's id, and with it the path of its folder, may have slashes."""


def store(places: Places) -> ModelStore:
    folders = _data_folders(places)

    def list_models() -> Iterator[StoredModel | Unreadable]:
        for folder in folders:
            yield from _models(folder, "", Root(folder))

    return ModelStore(name=NAME, list=list_models, folders=tuple(folder / MODELS for folder in folders))


def _data_folders(places: Places) -> tuple[Path, ...]:
    """Where its data is now, and where it was before an update."""
    if (named := places.named("JAN_DATA_FOLDER")) is not None:
        return (named,)
    root = places.named("JAN_DATA_ROOT") or places.data
    homes = [root / "Jan"] if places.platform in ("win32", "darwin") else [root / "Jan", places.config / "Jan"]
    chosen = (places.absolute(setting(home / "settings.json", "data_folder") or "") for home in homes)
    return tuple(dict.fromkeys(path or home / "data" for home, path in zip(homes, chosen, strict=True)))


def _models(data: Path, below: str, root: Root) -> Iterator[StoredModel | Unreadable]:
    folder = data / MODELS / below
    problems: list[Unreadable] = []
    found = entries(folder, problems)
    if below and any(entry.name == CARD for entry in found):
        yield _model(data, below, root)
    elif below.count("/") < DEPTH:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _models(data, f"{below}/{entry.name}" if below else entry.name, root)
    yield from problems


def _model(data: Path, id: str, root: Root) -> StoredModel | Unreadable:
    folder = data / MODELS / id
    try:
        card = read_text(folder / CARD)
        if (path := _named(data, card, "model_path", root=root)) is None:
            return _unusable(folder, id, f"its {CARD} names no file in Jan's data folder")
        size_bytes = sum(part.stat().st_size for part in parts_beside(path))
    except InvalidModelFileError as error:
        return _unusable(folder, id, str(error).partition(";")[0])
    except OSError as error:
        return _unusable(folder, id, f"its file can't be read: {error.strerror}")
    projector = _named(data, card, "mmproj_path", root=root)
    name, variant = variant_of(id)
    return StoredModel(
        id=id,
        path=path,
        size_bytes=size_bytes,
        store=NAME,
        name=name,
        variant=variant or variant_of(path.stem)[1],
        companions=(projector,) if projector and projector.is_file() else (),
    )


def _unusable(folder: Path, id: str, why: str) -> Unreadable:
    way_out = "fetch it again in Jan, or add the folder of its file to `folders` of [registry] in uml.toml"
    return Unreadable(path=folder, reason=f"Jan's '{shown(id)}' can't be used: {why}; {way_out}")


def _named(data: Path, card: str, key: str, *, root: Root) -> Path | None:
    """The file that *card* names under *key*, if it is in the data folder and stays there."""
    value = value_in(card, key, separator=":")
    if value is None or "\0" in value:
        return None
    path = data / value  # an absolute one replaces the folder
    return path if root.has(str(path)) else None
