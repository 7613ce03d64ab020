"""All models of all stores, under one name each, with what is known of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from uml_core.errors import ConflictError, InvalidModelFileError, ModelNotFoundError, PermissionDeniedError
from uml_core.host import probe_host
from uml_core.inspection import inspect
from uml_core.inspection.file import shown
from uml_core.registry.companions import joined
from uml_core.registry.duplicates import Duplicates
from uml_core.registry.listing import Listing, list_models
from uml_core.registry.names import aliases, looks_like_path, match, near
from uml_core.registry.records import Records
from uml_core.registry.scan import Scan, ScanProgress, ScanReport
from uml_core.registry.signature import Signature, signature
from uml_core.settings import Settings
from uml_core.types import ModelCard, ModelFormat, ModelSource, ModelStore, Offer, StoredModel, Unreadable

SUFFIXES = (".gguf", ".safetensors", ".onnx", ".bin", ".pt", ".pth")
SOURCES = 8
"""How many headers are kept whole: one holds some 20 kB of metadata, and only what is loaded is asked for it."""
LATEST = "latest"
"""Ollama's word for the variant that a name without one means."""
FITS = 0.8
"""The part of the memory that the largest variant may take that is chosen by itself; the rest is for its context."""


class Registry:
    """Finds models by what people call them, and remembers the headers that it has read.

    Every method may read the disk, and may be called by any thread.
    """

    def __init__(
        self,
        stores: Sequence[ModelStore],
        formats: Sequence[ModelFormat],
        settings: Settings,
        *,
        records: Records | None = None,
    ) -> None:
        """Nothing is read yet.

        :param records: what is remembered from earlier runs; in memory only when absent
        """
        self.records = records if records is not None else Records()
        self.problems: tuple[Unreadable, ...] = ()
        self._stores = {store.name: store for store in stores}
        self._formats = formats
        self._settings = settings
        self._duplicates = Duplicates(apart=settings.models)
        self._sources: dict[Path, tuple[Signature, ModelSource]] = {}

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where models lie: what changes when one comes or goes."""
        return tuple(dict.fromkeys(folder for store in self._stores.values() for folder in store.folders))

    @property
    def aliases(self) -> Mapping[str, str]:
        """The names that people gave to models; those of ``uml.toml`` win.

        :raises SettingsError: two models have the same alias there
        """
        return {**self.records.aliases, **aliases(self._settings.models)}

    def listing(self) -> Listing:
        """Ask all stores for names and sizes; no header is read. What can't be read is in ``problems`` from then on."""
        found = list_models(list(self._stores.values()), self._formats, self._duplicates)
        self.problems = found.problems
        return found

    def models(self) -> list[StoredModel]:
        """The models of all stores, each once; a second model of one id gets its store's name."""
        return list(self.listing().models)

    def known(self, model: StoredModel) -> ModelCard | InvalidModelFileError | None:
        """What is remembered of *model* as its files are now, or why they could not be read; None: nothing."""
        now = signature(model.path, (*self.records.files_of(model.path), *model.companions))
        card = self.records.card(model.path, now) if now else None
        return None if isinstance(card, ModelCard) and _has_come(card) else card

    def card(self, model: StoredModel) -> ModelCard:
        """What *model* is, from memory or from its header.

        :raises InvalidModelFileError: a file of the model can't be read or breaks its format
        """
        known = self.known(model)
        if isinstance(known, InvalidModelFileError):
            raise known
        return known or self._read(model)

    def source(self, model: StoredModel) -> ModelSource:
        """Read what *model* is; a header is read again only if a file has changed.

        :raises InvalidModelFileError: a file of the model can't be read or breaks its format
        """
        known = self._sources.get(model.path)
        if known is not None and known[0] and known[0] == signature(model.path, known[1].files):
            return known[1]
        source = self._read(model)
        while len(self._sources) >= SOURCES:
            self._sources.pop(next(iter(self._sources)), None)
        self._sources[model.path] = signature(model.path, source.files), source
        return source

    def _read(self, model: StoredModel) -> ModelSource:
        try:
            source = inspect(model.path, self._formats)
        except InvalidModelFileError as error:
            if os.access(model.path, os.R_OK):  # else it's the user's rights that are wrong, which no signature tells
                self._remember(model, signature(model.path, ()), error)
            raise
        source = joined(source, model.companions, self._formats)
        self._remember(model, signature(model.path, (*source.files, *model.companions)), source)
        return source

    def _remember(self, model: StoredModel, now: Signature, card: ModelCard | InvalidModelFileError) -> None:
        if now and model.store in self._stores:  # a file that was named by its path is in no listing
            self.records.put_card(model, now, card)

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel:
        """Find the model that *ref* names: id, alias, name of an offer that was fetched, or a part that fits only one.

        A model of several variants that is named without one is the largest variant that fits the memory well.

        :param allow_path: *ref* may also be the path of a file or a folder; never for what comes over HTTP
        :raises ModelNotFoundError: there is none, or several; the message has the nearest names
        """
        return best_variant(self.variants(ref, allow_path=allow_path))

    def variants(self, ref: str, *, allow_path: bool = False) -> list[StoredModel]:
        """Find all variants of the model that *ref* names without one; else only what :meth:`find` gives.

        :raises ModelNotFoundError: as :meth:`find`
        """
        models = self.models()
        ids = {one.id: model for model in reversed(models) for one in (*model.also, model)}
        names = self.aliases
        wanted = ref if ref in ids else names.get(ref, ref)
        if wanted in ids:
            return [ids[wanted]]
        if allow_path and looks_like_path(ref) and (there := _at_path(ref, models, ids)):
            return [there]
        offer = self.offer(wanted)
        if offer and offer.id in ids:
            return [ids[offer.id]]
        if found := match(wanted, models):
            return [one for one in found if one.variant == LATEST] or found
        raise _not_found(ref, offer, [*ids, *names], allow_path=allow_path)

    def offer(self, ref: str) -> Offer | None:
        """What a store could fetch under the name *ref*."""
        offers = (store.offer(ref) for store in self._stores.values() if store.offer)
        return next((offer for offer in offers if offer), None)

    def scan(
        self,
        progress: Callable[[ScanProgress], object] = lambda _: None,
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ScanReport:
        """Look at every model, and read the headers of those that are new or have changed.

        :param progress: told before each model and at the end
        :param stopped: asked before each model; what was read until then is kept
        """
        return Scan(self, progress, stopped).run()

    def remove(self, model: StoredModel) -> None:
        """Remove *model* from the disk, by the store that it lies in.

        :raises ConflictError: it is pinned, or another model lies in its folder
        :raises PermissionDeniedError: the store is another program's
        """
        if model.id in self.records.pins:
            raise ConflictError(f"'{shown(model.id)}' is pinned; `uml pin --off {shown(model.id)}` first")
        store = self._stores.get(model.store)
        if store is None or store.remove is None:
            raise PermissionDeniedError(
                f"'{shown(model.id)}' lies in the store '{model.store}', which is another program's, and UML removes "
                "nothing there; remove it with that program"
            )
        if inside := [other.id for other in self.models() if model.path in other.path.parents]:
            raise ConflictError(
                f"another model, '{shown(inside[0])}', lies in the folder of '{shown(model.id)}'; remove that one first"
            )
        store.remove(model)
        self._sources.pop(model.path, None)


def _has_come(card: ModelCard) -> bool:
    folder = card.path if card.path.is_dir() else card.path.parent
    return any((folder / name).exists() for name in card.missing)


def best_variant(variants: Sequence[StoredModel]) -> StoredModel:
    """The largest that fits this machine's memory well, else the smallest."""
    if len(variants) == 1:
        return variants[0]
    by_size = sorted(variants, key=lambda variant: (variant.size_bytes, variant.id))
    room_bytes = probe_host(devices=False).memory_bytes * FITS
    fitting = [variant for variant in by_size if variant.size_bytes <= room_bytes]
    return (fitting[-1:] or by_size[:1])[0]


def _at_path(ref: str, models: Sequence[StoredModel], ids: Mapping[str, StoredModel]) -> StoredModel | None:
    try:
        path = Path(ref).expanduser().absolute()  # the worker that will open it has a folder of its own
        size_bytes = path.stat().st_size
        stored = next((model for model in models if model.path.exists() and model.path.samefile(path)), None)
    except PermissionError:  # it's there, and its reader will say what is wrong
        size_bytes, stored = 0, None
    except (OSError, RuntimeError, ValueError):  # no such file, no such user, no possible name
        return None
    id = path.name.removesuffix(path.suffix) if path.suffix.lower() in SUFFIXES else path.name
    id = str(path) if id in ids else id
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
