"""What all stores have, at one moment: names and sizes, no header is read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, frozen

from uml_core.registry.duplicates import Duplicates
from uml_core.registry.walk import walk
from uml_core.types import ModelFolder, ModelFormat, ModelStore, StoredModel, Unreadable

log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Listing:
    """The models, each once and with an id of its own, and the places that can't be read."""

    models: tuple[StoredModel, ...]
    problems: tuple[Unreadable, ...]

    @property
    def duplicates(self) -> int:
        return sum(len(model.also) for model in self.models)


def list_models(stores: Sequence[ModelStore], formats: Sequence[ModelFormat], duplicates: Duplicates) -> Listing:
    """Ask every store; one that fails is a place that can't be read, and the others go on."""
    models: list[StoredModel] = []
    problems: list[Unreadable] = []
    for store in stores:
        for found in _listed(store, formats):
            if isinstance(found, StoredModel):
                models.append(found)
            else:
                problems.append(found)
    return Listing(models=tuple(_named(duplicates.join(models))), problems=tuple(problems))


def _listed(store: ModelStore, formats: Sequence[ModelFormat]) -> Iterator[StoredModel | Unreadable]:
    try:
        for found in store.list():
            if isinstance(found, ModelFolder):
                yield from walk(found, formats, store=store.name)
            else:
                yield found
    except Exception as error:
        log.exception("the store '%s' could not be read", store.name)
        what = f"{type(error).__name__}: {error}"
        yield Unreadable(reason=f"the store '{store.name}' could not be read: {what}; tell its makers")


def _named(models: Iterable[StoredModel]) -> Iterator[StoredModel]:
    """A second model of one id gets its store's name, a third one a number."""
    taken: set[str] = set()
    for model in models:
        id, number = model.id, 1
        while id in taken:
            id = f"{model.store}/{model.id}" + (f"~{number}" if number > 1 else "")
            number += 1
        taken.add(id)
        yield model if id == model.id else evolve(model, id=id, name=model.name and f"{model.store}/{model.name}")
