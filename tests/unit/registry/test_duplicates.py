"""The same bytes at several places are one model."""

from __future__ import annotations

import os

import pytest
from attrs import evolve

from uml_core.registry.duplicates import SMALLEST_BYTES, Duplicates
from uml_core.types import StoredModel

LARGE = bytes(range(256)) * (SMALLEST_BYTES // 256 + 1)


@pytest.fixture
def stored(tmp_path):
    """A file as a model of a store."""

    def make(name, content=b"x", *, store="folder", **rest):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)
        return StoredModel(id=name, path=path, size_bytes=path.stat().st_size, store=store, **rest)

    return make


def joined(*models):
    return [(model.id, [one.id for one in model.also]) for model in Duplicates().join(models)]


def test_links_are_the_file_that_they_lead_to(stored, tmp_path):
    first = stored("a.gguf")
    os.link(first.path, tmp_path / "hard.gguf")
    (tmp_path / "soft.gguf").symlink_to(first.path)
    others = stored("hard.gguf", None, store="jan"), stored("soft.gguf", None, store="lmstudio")
    assert joined(first, *others) == [("a.gguf", ["hard.gguf", "soft.gguf"])]


def test_the_older_name_stays_the_models(stored, tmp_path):
    first = stored("b.gguf")
    os.utime(first.path, ns=(1, 1))
    (tmp_path / "a.gguf").symlink_to(first.path)
    later = stored("a.gguf", None)
    assert joined(later, first) == [("b.gguf", ["a.gguf"])]
    assert joined(evolve(later, store="jan"), first) == [("a.gguf", ["b.gguf"])]


def test_one_with_settings_of_its_own_is_a_model_of_its_own(stored, tmp_path):
    first = stored("a.gguf")
    for name in ("long.gguf", "other.gguf"):
        os.link(first.path, tmp_path / name)
    models = first, stored("long.gguf", None), stored("other.gguf", None)
    found = Duplicates(apart={"long.gguf"}).join(models)
    assert [(model.id, [one.id for one in model.also]) for model in found] == [
        ("a.gguf", ["other.gguf"]), ("long.gguf", []),
    ]  # fmt: skip


def test_small_files_of_the_same_content_stay_two(stored):
    assert joined(stored("a.gguf"), stored("b.gguf")) == [("a.gguf", []), ("b.gguf", [])]


def test_a_copy_is_known_by_its_size_and_both_ends(stored):
    changed = bytearray(LARGE)
    changed[-1] ^= 1
    models = stored("a.gguf", LARGE), stored("b.gguf", bytes(changed)), stored("c.gguf", LARGE, store="jan")
    assert joined(*models) == [("a.gguf", ["c.gguf"]), ("b.gguf", [])]


def test_a_known_digest_joins_and_is_kept(stored):
    models = stored("a.gguf", LARGE), stored("b.gguf", LARGE, digest="ab" * 32), stored("c", b"y", digest="ab" * 32)
    (only,) = Duplicates().join(models)
    assert (only.id, only.digest, [one.id for one in only.also]) == ("a.gguf", "ab" * 32, ["b.gguf", "c"])


def test_what_one_store_knows_of_companions_the_joined_one_has(stored, tmp_path):
    projector = tmp_path / "mmproj.gguf"
    models = stored("a.gguf", LARGE), stored("b.gguf", LARGE, companions=(projector,))
    (only,) = Duplicates().join(models)
    assert only.companions == (projector,)


def test_folders_of_the_same_files(stored, tmp_path):
    for name, tail in (("one", b"1"), ("two", b"1"), ("three", b"3")):
        stored(f"{name}/model.safetensors", LARGE + tail)
        stored(f"{name}/config.json", b"{}")
    models = [
        StoredModel(id=name, path=tmp_path / name, size_bytes=len(LARGE) + 1, store="folder")
        for name in ("one", "two", "three")
    ]
    assert joined(*models) == [("one", ["two"]), ("three", [])]


def test_a_file_that_changes_is_compared_anew(stored):
    found = Duplicates()
    models = stored("a.gguf", LARGE), stored("b.gguf", LARGE)
    assert len(found.join(models)) == 1
    models[1].path.write_bytes(b"z" + LARGE[1:])
    os.utime(models[1].path, ns=(1, 1))
    assert len(found.join(models)) == 2


def test_nothing_hangs_or_breaks_on_what_is_no_file(stored, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    models = [
        StoredModel(id=name, path=tmp_path / name, size_bytes=SMALLEST_BYTES, store="folder")
        for name in ("pipe", "gone")
    ]
    assert joined(*models) == [("pipe", []), ("gone", [])]
