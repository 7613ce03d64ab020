from __future__ import annotations

from pathlib import Path

import pytest

from uml_core.errors import ConflictError, PermissionDeniedError
from uml_core.inspection.plugin import uml_model_formats
from uml_core.registry import FolderStore
from uml_core.registry.walk import walk
from uml_core.testing.gguf import write_gguf
from uml_core.types import StoredModel


@pytest.fixture
def store(folder):
    return FolderStore(folder)


@pytest.fixture
def models(store):
    """What is found in the models folder, as the registry finds it."""

    def find() -> list[StoredModel]:
        (folder,) = store.list()
        found = walk(folder, list(uml_model_formats()), store=store.name)
        return [model for model in found if isinstance(model, StoredModel)]

    return find


@pytest.fixture
def ids(models):
    return lambda: [model.id for model in models()]


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    (folder,) = FolderStore(tmp_path / "gone").list()
    assert list(walk(folder, list(uml_model_formats()), store="folder")) == []


def test_models_are_named_by_their_path(put, models):
    small, deep = put("small.gguf"), put("org/name.Q4_1.GGUF")
    first, second = models()
    assert (first.id, first.path, first.size_bytes) == ("org/name.Q4_1", deep, deep.stat().st_size)
    assert (first.model_name, first.variant) == ("org/name", "Q4_1")
    assert (second.id, second.path, second.store) == ("small", small, "folder")
    assert (second.model_name, second.variant) == ("small", None)


def test_one_file_is_called_the_same_without_a_search(put, store, models):
    path = put("org/name.Q4_1.gguf")
    assert [store.model(path)] == models()


def test_links_to_files_are_followed_but_not_to_folders(put, folder, tmp_path, ids):
    model = put("model.gguf")
    (tmp_path / "elsewhere").mkdir()
    outside = model.rename(tmp_path / "elsewhere/model.gguf")
    (folder / "link.gguf").symlink_to(outside)
    (folder / "dead.gguf").symlink_to(tmp_path / "gone")
    (folder / "loop.gguf").symlink_to(folder / "loop.gguf")
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    (folder / "up").symlink_to(folder)
    assert ids() == ["link"]


def test_removing_a_file_leaves_no_empty_folders(put, folder, store, models):
    kept = put("org/other/kept.gguf")
    put("org/name/model.gguf")
    store.remove(models()[0])
    assert [model.path for model in models()] == [kept]
    assert sorted(path.name for path in (folder / "org").iterdir()) == ["other"]
    store.remove(models()[0])
    assert list(folder.iterdir()) == []


def test_all_parts_are_removed_and_the_projector_of_the_last_model(put, folder, store, models):
    for number in (1, 2, 3):
        put(f"vlm/big-Q4_0-0000{number}-of-00003.gguf")
    put("vlm/big-Q8_0.gguf"), put("vlm/mmproj-big-F16.gguf")
    first, second = models()
    store.remove(first)
    assert sorted(path.name for path in (folder / "vlm").iterdir()) == ["big-Q8_0.gguf", "mmproj-big-F16.gguf"]
    store.remove(second)
    assert list(folder.iterdir()) == []


def test_a_set_is_removed_also_where_parts_are_missing(put, folder, store, models):
    put("big-00002-of-00003.gguf"), put("big-00003-of-00003.gguf"), put("big-00001-of-00002.gguf")
    store.remove(next(model for model in models() if model.path.name == "big-00002-of-00003.gguf"))
    assert [path.name for path in folder.iterdir()] == ["big-00001-of-00002.gguf"]


def test_a_folder_model_is_removed_and_links_in_it_lead_to_nothing_that_is(folder, store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    whole = folder / "org/whole"
    whole.mkdir(parents=True)
    (whole / "config.json").write_text("{}")
    (whole / "link").symlink_to(outside)
    (whole / "file").symlink_to(outside / "precious")
    store.remove(StoredModel(id="org/whole", path=whole, size_bytes=2, store="folder"))
    assert list(folder.iterdir()) == []
    assert (outside / "precious").exists()


def test_a_folder_with_another_model_in_it_is_kept(put, folder, store):
    put("org/whole/gguf/x.gguf")
    with pytest.raises(ConflictError, match=r"'org/whole' is a folder with other models in it \('gguf/x\.gguf'\)"):
        store.remove(StoredModel(id="org/whole", path=folder / "org/whole", size_bytes=1, store="folder"))
    assert (folder / "org/whole/gguf/x.gguf").exists()


def test_a_link_is_removed_and_not_what_it_leads_to(put, folder, store, models, tmp_path):
    outside = put("model.gguf").rename(tmp_path / "model.gguf")
    (folder / "link.gguf").symlink_to(outside)
    store.remove(models()[0])
    assert outside.exists()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("path", ["{tmp}/outside.gguf", "{folder}/../outside.gguf", "{folder}/link/outside.gguf"])
def test_what_lies_elsewhere_is_not_removed(folder, store, tmp_path, path):
    outside = tmp_path / "data/outside.gguf"
    outside.touch()
    (tmp_path / "outside.gguf").touch()
    (folder / "link").symlink_to(tmp_path)
    model = StoredModel(id="x", path=Path(path.format(tmp=tmp_path, folder=folder)), size_bytes=1, store="folder")
    with pytest.raises(PermissionDeniedError, match="'x' is not in UML's models folder"):
        store.remove(model)
    assert outside.exists()
    assert (tmp_path / "outside.gguf").exists()


def test_the_models_folder_itself_is_not_removed(folder, store):
    with pytest.raises(PermissionDeniedError):
        store.remove(StoredModel(id="models", path=folder, size_bytes=1, store="folder"))
    assert folder.is_dir()


def test_a_disk_that_refuses(open_folder, as_nobody):
    path = write_gguf(open_folder / "x.gguf")
    store = FolderStore(open_folder)
    with as_nobody(), pytest.raises(PermissionDeniedError, match=r"'x' can't be removed: Permission denied; look at"):
        store.remove(store.model(path))
    assert path.exists()


def test_a_model_that_is_gone_already(put, store, models):
    path = put("x.gguf")
    (model,) = models()
    path.unlink()
    store.remove(model)
