"""The stores of the core, offered as any plugin offers its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import field, frozen

from uml_core import hookimpl
from uml_core.registry.folder import FolderStore
from uml_core.registry.starter import starter_offer
from uml_core.registry.stores import folders, gpt4all, huggingface, jan, llama_cache, lmstudio, ollama, textgen
from uml_core.registry.stores.places import Places
from uml_core.settings import Settings
from uml_core.types import ModelStore

OTHERS = (huggingface, ollama, lmstudio, llama_cache, jan, gpt4all, textgen)
"""Programs that keep models in places of their own; of the same bytes, the first one's is listed first."""


@frozen
class BuiltinStores:
    """The models folder, the starter model that can be fetched into it, and what other programs have."""

    settings: Settings
    places: Places = field(factory=Places.here)
    uml_api_version = 1

    @hookimpl
    def uml_model_stores(self) -> Iterable[ModelStore]:
        return [store for store in self._all() if store.name not in self.settings.registry.disabled]

    def _all(self) -> Iterator[ModelStore]:
        own = FolderStore(self.settings.models_folder)
        yield ModelStore(name=own.name, list=own.list, remove=own.remove, folders=(own.folder,))
        wheel = self.settings.starter_wheel
        yield ModelStore(name="starter", list=tuple, offer=lambda ref: starter_offer(ref, own, wheel=wheel))
        yield folders.store(self.settings.registry.folders)
        for other in OTHERS:
            yield other.store(self.places)
