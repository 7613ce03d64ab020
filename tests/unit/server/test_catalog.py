"""The registry behind an event loop."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError, ModelNotFoundError, UnavailableError
from uml_core.server.catalog import Catalog, Entry
from uml_core.types import ModelCard, StoredModel, Unreadable


class Registry:
    """Three models: `a` can be read, `b` is broken, `gone` went away after it was listed."""

    problems = (Unreadable(reason="the store 's' has a folder that can't be read"),)

    def __init__(self, folder):
        self.path = folder
        self.scans = self.finds = 0
        self.cards = {}
        self.fails = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def models(self):
        self.scans += 1
        assert self.may_go_on.wait(10)
        if self.fails:
            raise OSError("the disk is gone")
        return [StoredModel(id=name, path=self.path / name, size_bytes=1, store="s") for name in ("a", "b", "gone")]

    def known(self, model):
        return self.cards.get(model.id)

    def card(self, model):
        if model.id == "b":
            raise InvalidModelFileError("'b' is broken")
        return card_of(model)

    def find(self, ref, *, allow_path=False):
        self.finds += 1
        if ref == "nobody":
            raise ModelNotFoundError("no")
        return StoredModel(id="a", path=self.path / "a", size_bytes=1, store="s")

    def variants(self, ref, *, allow_path=False):
        self.finds += 1
        return [StoredModel(id=name, path=self.path / name, size_bytes=1, store="s") for name in (ref, "b")]


def card_of(model, **facts):
    return ModelCard(path=model.path, format="f", files=(), size_bytes=1, **facts)


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


async def test_what_a_listing_has_no_time_to_read_is_pending_and_somebody_is_told(registry):
    told = []
    catalog = Catalog(registry, read_s=0, on_pending=lambda: told.append(1))
    registry.cards["b"] = InvalidModelFileError("'b' is broken")
    entries = await catalog.entries()
    assert [(entry.pending, entry.loadable, entry.error is None) for entry in entries] == [
        (True, False, True),
        (False, False, False),
        (False, False, False),
    ]
    assert told == [1]
    registry.cards["a"] = card_of(entries[0].model)
    catalog.forget()
    assert [entry.pending for entry in await catalog.entries()] == [False, False, False]
    assert told == [1], "what is known needs no scan"


async def test_places_that_cannot_be_read_are_told_beside_the_models(registry):
    assert (await Catalog(registry).shelf()).problems == registry.problems


async def test_a_listing_that_hangs_is_not_waited_for_for_ever(registry, monkeypatch):
    monkeypatch.setattr("uml_core.server.catalog.PATIENCE_S", 0.02)
    catalog = Catalog(registry)
    registry.may_go_on.clear()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="did not answer"):
            await catalog.shelf()
    assert registry.scans == 1, "it's the same listing"
    registry.may_go_on.set()
    async with asyncio.timeout(10):
        while not catalog._listing.done():
            await asyncio.sleep(0.005)
    assert len(await catalog.entries()) == 3


async def test_a_change_during_a_listing_has_it_made_anew(registry):
    catalog = Catalog(registry)
    registry.may_go_on.clear()
    before = asyncio.create_task(catalog.shelf())
    await asyncio.sleep(0)
    catalog.forget()
    after = asyncio.create_task(catalog.shelf())
    registry.may_go_on.set()
    assert await before is not await after
    assert await catalog.shelf() is await after
    assert registry.scans == 2


async def test_a_changed_name_is_looked_up_anew(registry):
    catalog = Catalog(registry)
    await catalog.id_of("x")
    catalog.forget()
    await catalog.id_of("x")
    assert registry.finds == 2


def test_only_a_whole_model_can_be_loaded():
    model = StoredModel(id="m", path=Path("m"), size_bytes=1, store="s")
    cards = [card_of(model), card_of(model, kind="projector"), card_of(model, missing=("m-00002",))]
    assert [Entry(model=model, card=card).loadable for card in cards] == [True, False, False]
    assert not Entry(model=model).loadable


async def test_variants_are_found_once(registry):
    now = [0.0]
    catalog = Catalog(registry, clock=lambda: now[0])
    assert await catalog.variants_of("a") == {"a", "b"}
    assert await catalog.variants_of("a") == {"a", "b"}
    assert registry.finds == 1
    now[0] += 3
    await catalog.variants_of("a")
    catalog.forget()
    await catalog.variants_of("a")
    assert registry.finds == 3
