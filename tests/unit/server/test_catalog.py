"""The registry behind an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from uml_core.errors import InvalidModelFileError, ModelNotFoundError
from uml_core.server.catalog import Catalog
from uml_core.types import ModelSource, StoredModel


class Registry:
    def __init__(self, folder):
        self.path = folder
        self.scans = self.finds = 0
        self.fails = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def models(self):
        self.scans += 1
        assert self.may_go_on.wait(10)
        if self.fails:
            raise OSError("the disk is gone")
        return [StoredModel(id=name, path=self.path / name, size_bytes=1, store="s") for name in ("a", "b", "gone")]

    def source(self, model):
        if model.id == "b":
            raise InvalidModelFileError("'b' is broken")
        return ModelSource(path=model.path, format="f", files=(), size_bytes=1)

    def find(self, ref, *, allow_path=False):
        self.finds += 1
        if ref == "nobody":
            raise ModelNotFoundError("no")
        return StoredModel(id="a", path=self.path / "a", size_bytes=1, store="s")


@pytest.fixture
def registry(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).touch()
    return Registry(tmp_path)


async def test_a_scan_is_shared_and_kept_briefly(registry):
    now = 0.0
    catalog = Catalog(registry, clock=lambda: now)
    first, *others = await asyncio.gather(*(catalog.entries() for _ in range(5)))
    assert all(other is first for other in others)
    assert [(entry.model.id, entry.error is None) for entry in first] == [("a", True), ("b", False), ("gone", False)]
    now = 1.9
    assert await catalog.entries() is first
    now = 2.1
    assert await catalog.entries() is not first
    assert registry.scans == 2


async def test_who_leaves_does_not_end_the_scan_of_the_others(registry):
    catalog = Catalog(registry)
    registry.may_go_on.clear()
    leaving, staying = (asyncio.create_task(catalog.entries()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    registry.may_go_on.set()
    assert len(await staying) == 3


async def test_a_scan_that_fails_is_done_again(registry):
    catalog = Catalog(registry)
    registry.fails = True
    with pytest.raises(OSError, match="disk"):
        await catalog.entries()
    registry.fails = False
    assert len(await catalog.entries()) == 3


async def test_names_are_remembered_briefly_and_unknown_ones_not_at_all(registry):
    now = 0.0
    catalog = Catalog(registry, clock=lambda: now)
    assert [await catalog.id_of("x") for _ in range(3)] == ["a", "a", "a"]
    assert registry.finds == 1
    now = 2.1
    await catalog.id_of("x")
    assert registry.finds == 2
    for _ in range(2):
        with pytest.raises(ModelNotFoundError):
            await catalog.id_of("nobody")
    assert registry.finds == 4


async def test_the_memory_of_names_is_bounded(registry):
    catalog = Catalog(registry)
    for number in range(1100):
        await catalog.id_of(str(number))
    assert len(catalog._names) <= 1024
