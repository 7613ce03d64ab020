"""A store of fake models, as a plugin offers one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from uml_core import API_VERSION, hookimpl
from uml_core.types import ModelStore, StoredModel

SUFFIX = ".fake"


class FakeStore:
    """The models in *folder* that :func:`write_fake_model` wrote, each by its file's name."""

    uml_api_version = API_VERSION

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self.folder = folder

    @hookimpl
    def uml_model_stores(self) -> Iterable[ModelStore]:
        yield ModelStore(name="fakes", list=self.list)

    def list(self) -> Iterator[StoredModel]:
        """The models that are there now."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            yield StoredModel(id=path.stem, path=path, size_bytes=path.stat().st_size, store="fakes")
