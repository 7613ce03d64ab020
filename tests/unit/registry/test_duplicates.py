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


def test_a_copy_is_known_by_its_size_and_samples(stored):
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


@pytest.fixture
def graph(tmp_path):
    """A graph that is a model by itself, with its tensors and its tokenizer beside it."""

    def make(folder, *, below="", **beside):
        place = tmp_path / folder
        (place / below).mkdir(parents=True)
        path = place / below / "model.onnx"
        path.write_bytes(b"graph")
        for name, content in {
            "model.onnx.data": LARGE,
            "config.json": b"{}",
            "tokenizer.json": b"{}",
            **beside,
        }.items():
            ((path.parent if "onnx" in name else place) / name).write_bytes(content)
        return StoredModel(id=folder, path=path, size_bytes=len(LARGE) + 5, store="folder", digest="ab" * 32)

    return make


@pytest.mark.parametrize("below", ["", "onnx"])
def test_a_graph_is_the_same_with_all_that_lies_beside_it(graph, below):
    models = [
        graph("one", below=below),
        graph("copy", below=below),
        graph("zeroed", below=below, **{"model.onnx.data": bytes(len(LARGE))}),
        graph("middle", below=below, **{"model.onnx.data": LARGE[:9000] + bytes(2**19) + LARGE[9000 + 2**19 :]}),
        graph("words", below=below, **{"tokenizer.json": b"[]"}),
        graph("more", below=below, **{"genai_config.json": b"{}"}),
    ]
    assert joined(*models) == [("one", ["copy"]), *((name, []) for name in ("zeroed", "middle", "words", "more"))]


def test_a_link_to_a_graph_is_not_its_tensors(graph):
    first, linked, all_linked = graph("one"), graph("two", **{"model.onnx.data": LARGE[::-1]}), graph("three")
    for file in all_linked.path.parent.iterdir():
        file.unlink()
        os.link(first.path.parent / file.name, file)
    linked.path.unlink()
    os.link(first.path, linked.path)
    assert joined(first, linked, all_linked) == [("one", ["three"]), ("two", [])]


def test_tensors_that_change_in_place_are_compared_anew(graph):
    found = Duplicates()
    models = graph("one"), graph("two")
    assert len(found.join(models)) == 1
    data = models[1].path.parent / "model.onnx.data"
    data.write_bytes(bytes(len(LARGE)))
    os.utime(data, ns=(1, 1))
    assert len(found.join(models)) == 2


def test_graphs_of_one_folder_are_two(graph, tmp_path):
    first = graph("one")
    (tmp_path / "one/other.onnx").write_bytes(b"graph")
    assert joined(first, evolve(first, id="other", path=tmp_path / "one/other.onnx")) == [("one", []), ("other", [])]


def test_all_parts_of_a_linked_model_count(stored, tmp_path):
    one = stored("one/m-00001-of-00002.gguf", LARGE)
    (tmp_path / "two").mkdir()
    os.link(one.path, tmp_path / "two/m-00001-of-00002.gguf")
    for folder, tail in (("one", b"1"), ("two", b"2")):
        (tmp_path / folder / "m-00002-of-00002.gguf").write_bytes(LARGE + tail)
    assert joined(one, stored("two/m-00001-of-00002.gguf", None)) == [(one.id, []), ("two/m-00001-of-00002.gguf", [])]


@pytest.mark.parametrize("name", ["model.safetensors", "1_Pooling/config.json"])
def test_a_folder_whose_file_changes_in_place_is_compared_anew(stored, tmp_path, name):
    for folder in ("one", "two"):
        stored(f"{folder}/model.safetensors", LARGE)
        stored(f"{folder}/1_Pooling/config.json", b"{}")
    models = [StoredModel(id=one, path=tmp_path / one, size_bytes=len(LARGE), store="folder") for one in ("one", "two")]
    found = Duplicates()
    assert len(found.join(models)) == 1
    changed = tmp_path / "two" / name
    changed.write_bytes(bytes(changed.stat().st_size))
    os.utime(changed, ns=(1, 1))
    assert len(found.join(models)) == 2
