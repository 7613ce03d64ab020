"""Projectors beside a model: which belong to it, and what it takes with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from uml_core.inspection.gguf import companions, read
from uml_core.testing.gguf import write_gguf

MODEL = {"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 64}
SEES = {"general.architecture": "clip", "clip.has_vision_encoder": True}
HEARS = {"general.architecture": "clip", "clip.has_vision_encoder": False, "clip.has_audio_encoder": True}


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "Owl-2B-Q4_K_M.gguf", metadata: dict[str, object] | None = None) -> Path:
        return write_gguf(tmp_path / name, metadata or MODEL, tensors={"w": (64,)})

    return write


@pytest.fixture
def projector(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, metadata: dict[str, object] = SEES, *, width: int = 64) -> Path:
        return write_gguf(tmp_path / name, metadata, tensors={"v.blk.0.w": (32, 32), "mm.0.weight": (32, width)})

    return write


def test_a_projector_lets_the_model_see(model, projector):
    beside = projector("mmproj-model-f16.gguf")
    source = read(model())
    assert source.companions == (beside,)
    assert source.files == (source.path,)
    assert source.modalities == ("text", "image")
    assert source.tasks == ("image-text-to-text", "text-generation")


def test_a_projector_lets_the_model_hear(model, projector):
    projector("mmproj-F16.gguf", HEARS)
    source = read(model())
    assert source.modalities == ("text", "audio")
    assert source.tasks == ("audio-text-to-text", "text-generation")


def test_what_a_projector_is(projector):
    seeing, hearing = read(projector("mmproj-a.gguf")), read(projector("mmproj-b.gguf", HEARS))
    assert (seeing.kind, seeing.modalities, seeing.tasks, seeing.shape) == ("projector", ("image",), (), None)
    assert (hearing.kind, hearing.modalities) == ("projector", ("audio",))
    older = read(projector("old.gguf", {"general.architecture": "clip"}))
    assert (older.kind, older.modalities) == ("projector", ("image",))


@pytest.mark.parametrize(
    "name",
    [
        "mmproj-model-f16.gguf",
        "mmproj-F16.gguf",
        "mmproj.gguf",
        "mmproj-Owl-2B-Q8_0.gguf",
        "mmproj-owl-2b-bf16.gguf",
        "Owl-2B-mmproj-f32.gguf",
        "mmproj-Owl-2B-Instruct-f16.GGUF",
        "maker_Owl-2B.mmproj-IQ4_XS.gguf",
    ],
)
def test_names_of_its_projector(model, projector, name):
    path = projector(name)
    assert read(model()).companions == (path,)


@pytest.mark.parametrize(
    "name", ["mmproj-Lynx-2B-f16.gguf", "mmproj-Owl-7B-f16.gguf", "projector-Owl-2B.gguf", "mmproj-Owl-2B.gguf.part"]
)
def test_names_of_others(model, projector, name):
    projector(name)
    assert read(model()).companions == ()


def test_all_precisions_of_its_projector_belong_to_it(model, projector):
    paths = tuple(projector(f"mmproj-{precision}.gguf") for precision in ("BF16", "F16", "F32"))
    source = read(model())
    assert source.companions == paths
    assert source.modalities == ("text", "image")


def test_a_projector_of_another_width_is_of_another_model(model, projector):
    projector("mmproj-F16.gguf", width=128)
    assert read(model()).companions == ()


@pytest.mark.parametrize("bad", [b"", b"GGUF", b"GGUF" + b"\xff" * 100, b"<html>"])
def test_a_broken_projector_is_not_the_models_fault(model, tmp_path, bad):
    (tmp_path / "mmproj-F16.gguf").write_bytes(bad)
    (tmp_path / "mmproj-folder.gguf").mkdir()
    os.mkfifo(tmp_path / "mmproj-pipe.gguf")
    source = read(model())
    assert (source.companions, source.modalities) == ((), ("text",))


def test_a_model_that_only_calls_itself_a_projector(model, projector):
    projector("mmproj-F16.gguf", MODEL)
    assert read(model()).companions == ()


def test_a_lora_is_no_companion(model, tmp_path):
    adapter = {"general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora"}
    write_gguf(tmp_path / "lora.gguf", adapter, tensors={"blk.0.attn_q.weight.lora_a": (64, 8)})
    assert read(model()).companions == ()


def test_no_more_than_a_few_are_looked_into(model, projector):
    for number in range(companions.PROJECTORS + 5):
        projector(f"mmproj-q{number}_0.gguf")
    assert len(read(model()).companions) == companions.PROJECTORS


def test_a_folder_that_has_long_been_the_same_is_listed_once(model, projector, monkeypatch):
    path, beside = model(), projector("mmproj-F16.gguf")
    an_hour_ago = path.stat().st_mtime - 3600
    os.utime(path.parent, (an_hour_ago, an_hour_ago))
    assert read(path).companions == (beside,)
    monkeypatch.setattr(companions, "_list", lambda folder: pytest.fail("listed again"))
    assert read(path).companions == (beside,)


def test_a_projector_that_came_a_moment_ago_is_seen(model, projector):
    path = model()
    assert read(path).companions == ()
    beside = projector("mmproj-F16.gguf")
    assert read(path).companions == (beside,)
    beside.unlink()
    assert read(path).companions == ()


def test_the_parts_of_a_model_have_their_projector(tmp_path, projector):
    for number in range(2):
        metadata = (MODEL if number == 0 else {}) | {"split.count": 2, "split.no": number}
        write_gguf(tmp_path / f"Owl-2B-Q8_0-0000{number + 1}-of-00002.gguf", metadata, tensors={f"w{number}": (8,)})
    beside = projector("mmproj-Owl-2B-F16.gguf")
    assert read(tmp_path / "Owl-2B-Q8_0-00002-of-00002.gguf").companions == (beside,)
