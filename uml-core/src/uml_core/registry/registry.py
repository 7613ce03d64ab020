"""All models of all stores, under one name each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve

from uml_core.errors import ModelNotFoundError
from uml_core.inspection import inspect
from uml_core.inspection.file import shown
from uml_core.registry.folder import SUFFIX
from uml_core.registry.names import aliases, looks_like_path, match, near
from uml_core.settings import Settings
from uml_core.types import ModelFormat, ModelSource, ModelStore, Offer, StoredModel

log = logging.getLogger(__name__)
Signature = tuple[tuple[int, int, int], ...]


class Registry:
    """Finds models by what people call them, and remembers the headers that it has read."""

    def __init__(self, stores: Sequence[ModelStore], formats: Sequence[ModelFormat], settings: Settings) -> None:
        self._stores = stores
        self._formats = formats
        self._settings = settings
        self._sources: dict[Path, tuple[Signature, ModelSource]] = {}

    def models(self) -> list[StoredModel]:
        """Read all stores; one that fails is logged and left out. A second model of one id gets its store's name."""
        found: dict[str, StoredModel] = {}
        for store in self._stores:
            for model in _listed(store):
                own = evolve(model, id=f"{store.name}/{model.id}") if model.id in found else model
                found.setdefault(own.id, own)
        return list(found.values())

    def source(self, model: StoredModel) -> ModelSource:
        """Read what *model* is; a header is read again only if a file has changed.

        :raises InvalidModelFileError: a file of the model can't be read or breaks its format
        """
        known = self._sources.get(model.path)
        if known is not None and known[0] and known[0] == _signature(known[1].files):
            return known[1]
        source = inspect(model.path, self._formats)
        self._sources[model.path] = _signature(source.files), source
        return source

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel:
        """Find the model that *ref* names: id, alias, name of an offer that was fetched, or a part that fits only one.

        :param allow_path: *ref* may also be the path of a file; never for what comes over HTTP
        :raises ModelNotFoundError: there is none, or several; the message has the nearest names
        """
        models = {model.id: model for model in self.models()}
        names = aliases(self._settings.models)
        wanted = ref if ref in models else names.get(ref, ref)
        if wanted in models:
            return models[wanted]
        if allow_path and looks_like_path(ref) and (there := _at_path(ref, models)):
            return there
        offer = self.offer(wanted)
        found = offer.id if offer and offer.id in models else match(wanted, models)
        if found is not None:
            return models[found]
        raise _not_found(ref, offer, [*models, *names], allow_path=allow_path)

    def offer(self, ref: str) -> Offer | None:
        """What a store could fetch under the name *ref*."""
        offers = (store.offer(ref) for store in self._stores if store.offer)
        return next((offer for offer in offers if offer), None)


def _listed(store: ModelStore) -> Iterable[StoredModel]:
    try:
        return [found for found in store.list() if isinstance(found, StoredModel)]
    except Exception:
        log.exception("the store '%s' could not be read", store.name)
        return ()


def _signature(files: Iterable[Path]) -> Signature:
    """What changes with the content of *files*; a file that is gone is like no other."""
    try:
        return tuple((found.st_ino, found.st_size, found.st_mtime_ns) for found in (file.stat() for file in files))
    except OSError:
        return ()


def _at_path(ref: str, models: dict[str, StoredModel]) -> StoredModel | None:
    try:
        path = Path(ref).expanduser().absolute()  # the worker that will open it has a folder of its own
        size_bytes = path.stat().st_size
        stored = next((model for model in models.values() if model.path.exists() and model.path.samefile(path)), None)
    except PermissionError:  # it's there, and its reader will say what is wrong
        size_bytes, stored = 0, None
    except (OSError, RuntimeError, ValueError):  # no such file, no such user, no possible name
        return None
    id = path.name.removesuffix(path.suffix) if path.suffix.lower() == SUFFIX else path.name
    id = str(path) if id in models else id
    return stored or StoredModel(id=id, path=path, size_bytes=size_bytes, store="path")


def _not_found(ref: str, offer: Offer | None, names: Sequence[str], *, allow_path: bool) -> ModelNotFoundError:
    name, meant = shown(ref), near(ref.lower().removesuffix(".gguf"), names)
    if offer is not None:
        return ModelNotFoundError(f"the model '{name}' is not on this machine yet; `uml pull {name}` fetches it")
    if not allow_path and looks_like_path(ref) and not meant:
        return ModelNotFoundError(
            f"there is no model '{name}'; over HTTP a model is one of the ids that GET /models lists, never a path"
        )
    if not names:
        return ModelNotFoundError(
            f"there is no model '{name}', nor any other on this machine; `uml pull starter` fetches a small one"
        )
    also = " and no such file" if allow_path and looks_like_path(ref) else ""
    return ModelNotFoundError(f"there is no model '{name}'{also}; {meant + ' ' if meant else ''}`uml list` shows all")
