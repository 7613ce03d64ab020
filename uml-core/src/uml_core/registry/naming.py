"""What the models in a folder are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from uml_core.registry.found import Found
from uml_core.registry.variants import variant_called, variant_of
from uml_core.types import ModelFolder, StoredModel

Name = tuple[str, str | None, Sequence[str]]
"""A model's name, its variant, and the ids that it may get: the first that is free, and the last is."""

ANY_MODEL = ("model", "ggml-model", "pytorch_model", "consolidated")
FORMS = ("gguf", "ggml", "onnx", "i1")
"""Words in a repository's name that say in which form it has the model."""


def named(found: Sequence[Found], folder: ModelFolder, *, store: str) -> Iterator[StoredModel]:
    """Name each of *found*, and no two alike; folders, which are most of all a model, choose first."""
    name_of = _by_repository(found, folder.name) if folder.name else _by_path(folder)
    ids: dict[int, StoredModel] = {}
    taken: set[str] = set()
    for number, one in sorted(enumerate(found), key=lambda item: item[1].stem is not None):
        name, variant, wanted = name_of(one)
        id = next((id for id in wanted if id not in taken), wanted[-1])
        taken.add(id)
        ids[number] = StoredModel(
            id=id,
            path=one.path,
            size_bytes=one.size_bytes,
            store=store,
            name=name,
            variant=variant,
            digest=one.digest,
            companions=one.companions,
        )
    yield from (ids[number] for number in range(len(found)))


def _by_path(folder: ModelFolder) -> Callable[[Found], Name]:
    def name_of(one: Found) -> Name:
        ids = [id or folder.path.name for id in one.spellings]
        if one.stem is None:
            return ids[0], None, ids
        base, variant = variant_of(one.stem)
        return PurePosixPath(one.below, base).as_posix(), variant, ids

    return name_of


def _by_repository(found: Sequence[Found], repository: str) -> Callable[[Found], Name]:
    """Names of one repository's files: ``org/name:Q4_K_M``, or ``org/name/other:Q4_K_M`` for another model's."""
    only = len({_split(one)[0].casefold() for one in found if one.stem is not None}) == 1

    def name_of(one: Found) -> Name:
        ids = [f"{repository}/{spelling}".rstrip("/") for spelling in one.spellings]
        if one.stem is None:
            return ids[0], None, ids
        base, variant = _split(one)
        own = only or base.casefold() in ANY_MODEL or _plain(base) == _plain(repository.rpartition("/")[2])
        name = repository if own else f"{repository}/{base}"
        return name, variant, [f"{name}:{variant}" if variant else name, *ids]

    return name_of


def _split(one: Found) -> tuple[str, str | None]:
    """The name and the variant of a file; a file or a folder may also be called by the variant alone."""
    base, variant = variant_of(one.stem or "")
    if variant is None and (variant := variant_called(base)):
        return ANY_MODEL[0], variant
    return base, variant or variant_called(PurePosixPath(one.below).name)


def _plain(name: str) -> str:
    words = name.casefold().replace("_", "-").replace(".", "-").split("-")
    return "".join(word for word in words if word not in FORMS)
