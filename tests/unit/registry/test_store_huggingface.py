from __future__ import annotations

import hashlib
import json
import os

import pytest

from uml_core.inspection import inspect
from uml_core.inspection.plugin import uml_model_formats

COMMIT, OLDER = "a" * 40, "b" * 40


@pytest.fixture
def repository(write):
    """A repository as huggingface_hub keeps it: files by etag, snapshots of links to them, and refs."""

    def make(cache, name, files, *, commit=COMMIT, ref="main", links=True):
        folder = cache / f"models--{name.replace('/', '--')}"
        for path, content in files.items():
            large = path.endswith((".gguf", ".safetensors"))
            etag = hashlib.sha256(content).hexdigest() if large else hashlib.sha1(content).hexdigest()
            place = folder / "snapshots" / commit / path
            if not links:
                write(place, content)
                continue
            write(folder / "blobs" / etag, content)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.path.relpath(folder / "blobs" / etag, place.parent))
        if ref:
            write(folder / "refs" / ref, commit)
        write(cache / ".locks" / folder.name / "x.lock")
        write(folder / ".no_exist" / commit / "adapter_config.json")
        return folder

    return make


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "home/.cache/huggingface/hub"


def test_a_quant_of_a_repository(found, repository, cache, model):
    folder = repository(cache, "acme/Rocket-7B-GGUF", {"Rocket-7B-Q4_K_M.gguf": model(), "README.md": b"x"})
    (one,) = found("huggingface")
    assert (one.id, one.model_name, one.variant) == ("acme/Rocket-7B-GGUF:Q4_K_M", "acme/Rocket-7B-GGUF", "Q4_K_M")
    assert one.path == folder / "snapshots" / COMMIT / "Rocket-7B-Q4_K_M.gguf"
    assert (one.size_bytes, one.store) == (len(model()), "huggingface")
    assert one.digest == hashlib.sha256(model()).hexdigest()


def test_several_quants_a_projector_and_parts(found, repository, cache, model):
    files = {
        "Eye-Q4_0.gguf": model(),
        "BF16/Eye-BF16-00001-of-00002.gguf": model("a"),
        "BF16/Eye-BF16-00002-of-00002.gguf": model("b"),
        "mmproj-Eye-F16.gguf": model("mm"),
    }
    repository(cache, "acme/Eye-GGUF", files)
    parts, quant = found("huggingface")
    assert (parts.id, parts.size_bytes, parts.digest) == ("acme/Eye-GGUF:BF16", len(model("a")) * 2, None)
    assert (quant.id, [path.name for path in quant.companions]) == ("acme/Eye-GGUF:Q4_0", ["mmproj-Eye-F16.gguf"])


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies, as on Windows"])
def test_one_snapshot_is_listed_that_of_main(found, repository, cache, model, links):
    repository(cache, "acme/x", {"x-Q8_0.gguf": model("new")}, commit=COMMIT, links=links)
    repository(cache, "acme/x", {"x-Q4_0.gguf": model("pinned")}, commit=OLDER, ref="v1", links=links)
    (one,) = found("huggingface")
    assert (one.id, one.digest is not None) == ("acme/x:Q8_0", links)


@pytest.mark.parametrize("ref", [None, "gone" * 10, "../../../..", "x" * 10_000, b"\xff\xfe"])
def test_without_a_usable_main_it_is_the_newest(found, repository, write, cache, model, ref):
    folder = repository(cache, "acme/x", {"x-Q8_0.gguf": model()}, commit=OLDER, ref=None)
    repository(cache, "acme/x", {"x-Q4_0.gguf": model()}, commit=COMMIT, ref=None)
    os.utime(folder / "snapshots" / OLDER, (1, 1))
    if ref is not None:
        write(folder / "refs/main", ref)
    assert [one.id for one in found("huggingface")] == ["acme/x:Q4_0"]


def test_what_is_no_model_or_not_there_yet(found, write, repository, cache, model):
    write(cache / "datasets--acme--text/snapshots" / COMMIT / "x.gguf", model())
    write(cache / "models--acme--loading/blobs/abc.incomplete", model())
    write(cache / "models--acme--empty/refs/main", COMMIT)
    write(cache / "version.txt", "1")
    repository(cache, "acme/tokenizer", {"tokenizer.json": b"{}"})
    assert found("huggingface") == []


def test_names_without_an_organisation_and_with_dashes(found, repository, cache, model):
    repository(cache, "gpt2", {"gpt2-f16.gguf": model()})
    repository(cache, "a-b/c--d", {"c.gguf": model()})
    assert [one.id for one in found("huggingface")] == ["a-b/c--d", "gpt2:F16"]


def test_a_blob_that_is_gone_is_told(found, repository, cache, model):
    folder = repository(cache, "acme/x", {"x-Q4_0.gguf": model()})
    next((folder / "blobs").iterdir()).unlink()
    (problem,) = found("huggingface")
    assert problem.reason == (
        "'x-Q4_0.gguf' in the store 'huggingface' is a link to a file that is gone; download it again, or remove the "
        "link"
    )


def test_a_repository_that_lies_elsewhere_is_refused(found, repository, cache, tmp_path, model):
    repository(tmp_path / "elsewhere", "acme/x", {"x-Q4_0.gguf": model()})
    cache.mkdir(parents=True)
    (cache / "models--acme--x").symlink_to(tmp_path / "elsewhere/models--acme--x")
    (problem,) = found("huggingface")
    assert (
        f"'{COMMIT}' in the store 'huggingface' is a link out of it; add the folder that it leads to to `folders`"
        in problem.reason
    )


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, "home/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "{tmp}/xdg"}, "xdg/huggingface/hub"),
        ({"XDG_CACHE_HOME": "{tmp}/xdg", "HF_HOME": "{tmp}/hf"}, "hf/hub"),
        ({"HF_HOME": "~/hf"}, "home/hf/hub"),
        ({"HF_HOME": "{tmp}/hf", "HUGGINGFACE_HUB_CACHE": "{tmp}/old"}, "old"),
        ({"HUGGINGFACE_HUB_CACHE": "{tmp}/old", "HF_HUB_CACHE": "{tmp}/new"}, "new"),
        ({"HF_HUB_CACHE": "", "HF_HOME": "relative"}, "home/.cache/huggingface/hub"),
    ],
)
def test_where_the_cache_is(found, repository, tmp_path, model, platform, environment, place):
    repository(tmp_path / place, "acme/x", {"x-Q4_0.gguf": model()})
    named = {name: value.format(tmp=tmp_path) for name, value in environment.items()}
    assert [one.id for one in found("huggingface", platform, **named)] == ["acme/x:Q4_0"]


def safetensors(name: str = "lm_head.weight") -> bytes:
    header = json.dumps({name: {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(32)


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_a_folder_model_is_read_through_its_links(found, repository, cache, links):
    config = json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 2}).encode()
    files = {"config.json": config, "model.safetensors": safetensors(), "README.md": b"x"}
    folder = repository(cache, "acme/Rocket", files, links=links)
    (one,) = found("huggingface")
    assert (one.id, one.path, one.size_bytes) == ("acme/Rocket", folder / "snapshots" / COMMIT, len(safetensors()))
    card = inspect(one.path, list(uml_model_formats()))
    assert (card.format, card.parameters, card.complete) == ("safetensors", 8, True)


def test_a_folder_model_with_a_blob_that_is_gone_says_what_is_missing(found, repository, cache):
    shards = {f"model-0000{number}-of-00002.safetensors": f"layer{number}" for number in (1, 2)}
    index = json.dumps({"weight_map": {tensor: name for name, tensor in shards.items()}})
    config = json.dumps({"model_type": "llama", "hidden_size": 2})
    files = {"config.json": config.encode(), "model.safetensors.index.json": index.encode()}
    files |= {name: safetensors(tensor) for name, tensor in shards.items()}
    folder = repository(cache, "acme/Rocket", files)
    (folder / "snapshots" / COMMIT / "model-00002-of-00002.safetensors").resolve().unlink()
    (one,) = found("huggingface")
    assert one.id == "acme/Rocket"
    assert inspect(one.path, list(uml_model_formats())).missing == ("model-00002-of-00002.safetensors",)
