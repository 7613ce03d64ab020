from __future__ import annotations

import os

import pytest

from uml_core.registry import FolderStore


def ids(folder) -> list[str]:
    return [model.id for model in FolderStore(folder).list()]


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert ids(tmp_path / "gone") == []


def test_models_are_named_by_their_path(put, folder):
    small, deep = put("small.gguf"), put("org/name.Q4_1.GGUF")
    first, second = FolderStore(folder).list()
    assert (first.id, first.path, first.size_bytes) == ("org/name.Q4_1", deep, deep.stat().st_size)
    assert (second.id, second.path, second.store) == ("small", small, "folder")


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.gguf",
        ".cache/model.gguf",
        "model.gguf.part",
        "incomplete-model.gguf",
        "notes.txt",
        "gguf",
        "a\x1bb.gguf",
    ],
)
def test_what_is_no_model(put, folder, name):
    put(name)
    assert ids(folder) == []


def test_links_to_files_are_followed_but_not_to_folders(put, folder, tmp_path):
    model = put("model.gguf")
    (tmp_path / "elsewhere").mkdir()
    outside = model.rename(tmp_path / "elsewhere/model.gguf")
    (folder / "link.gguf").symlink_to(outside)
    (folder / "dead.gguf").symlink_to(tmp_path / "gone")
    (folder / "loop.gguf").symlink_to(folder / "loop.gguf")
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    (folder / "up").symlink_to(folder)
    assert ids(folder) == ["link"]


def test_pipes_and_folders_are_no_models(folder):
    os.mkfifo(folder / "pipe.gguf")
    (folder / "folder.gguf").mkdir()
    assert ids(folder) == []


def test_a_model_of_several_parts_is_its_first_part_with_the_size_of_all(put, folder):
    parts = [put(f"big-0000{number}-of-00003.gguf") for number in (1, 2, 3)]
    (model,) = FolderStore(folder).list()
    assert (model.id, model.path) == ("big-00001-of-00003", parts[0])
    assert model.size_bytes == sum(part.stat().st_size for part in parts)


def test_parts_without_their_first_are_no_model(put, folder):
    put("big-00002-of-00003.gguf")
    assert ids(folder) == []
