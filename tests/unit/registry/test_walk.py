from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from uml_core.registry import walk as walk_module
from uml_core.registry.walk import walk
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelFolder, ModelFormat, StoredModel, Unreadable


def unread(path):
    raise AssertionError(f"{path} was read")


def weights(path, *suffixes):
    return any(file.name.endswith(suffixes) for file in path.iterdir())


GGUF = ModelFormat(name="gguf", claims=lambda path, head: head.startswith(b"GGUF"), read=unread, suffixes=(".gguf",))
SAFETENSORS = ModelFormat(
    name="safetensors",
    claims=lambda path, head: path.is_dir() and weights(path, ".safetensors"),
    read=unread,
    suffixes=(".safetensors",),
    marks=("config.json",),
)
PYTORCH = ModelFormat(
    name="pytorch",
    claims=lambda path, head: path.is_dir() and weights(path, ".bin"),
    read=unread,
    suffixes=(".bin", ".pt", ".pth"),
    marks=("config.json",),
)
GENAI = ModelFormat(name="genai", claims=lambda path, head: path.is_dir(), read=unread, marks=("genai_config.json",))
ONNX = ModelFormat(name="onnx", claims=lambda path, head: False, read=unread, suffixes=(".onnx",))
FORMATS = (GGUF, SAFETENSORS, PYTORCH, GENAI, ONNX)


@pytest.fixture
def put(tmp_path):
    """Make files of as many bytes, by their paths in a folder of models."""

    def make(sizes: dict[str, int]) -> Path:
        for name, size_bytes in sizes.items():
            path = tmp_path / "models" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size_bytes))
        return tmp_path / "models"

    return make


def models(path, *, name="", **more) -> list[StoredModel]:
    return [found for found in every(path, name=name, **more) if isinstance(found, StoredModel)]


def problems(path, **more) -> list[Unreadable]:
    return [found for found in every(path, **more) if isinstance(found, Unreadable)]


def every(path, **more):
    return list(walk(ModelFolder(path=path, **more), FORMATS, store="s"))


def ids(path, **more) -> dict[str, int]:
    return {model.id: model.size_bytes for model in models(path, **more)}


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.gguf",
        ".cache/model.gguf",
        ".locks/x.gguf",
        ".no_exist/x.gguf",
        "model.gguf.part",
        "model.gguf.incomplete",
        "model.gguf.crdownload",
        "model.gguf.downloadInProgress",
        "incomplete-model.gguf",
        "incomplete-x/model.gguf",
        "downloading_model.gguf",
        "notes.txt",
        "gguf",
        "a\x1bb.gguf",
        "a\u202eb.gguf",
        "training_args.bin",
        "optimizer.pt",
        "rng_state_0.pth",
        "mmproj-model-f16.gguf",
    ],
)
def test_what_is_no_model(put, name):
    assert every(put({name: 1})) == []


def test_what_aria2_still_writes_is_no_model(put):
    assert ids(put({"a.gguf": 1, "a.gguf.aria2": 1, "b.gguf": 1})) == {"b": 1}


def test_a_folder_that_a_format_claims_is_one_model(put):
    path = put(
        {
            "org/name/config.json": 5,
            "org/name/model-00001-of-00002.safetensors": 100,
            "org/name/model-00002-of-00002.safetensors": 10,
            "org/name/model.safetensors.index.json": 7,
            "org/name/pytorch_model.bin": 1000,
            "org/name/training_args.bin": 3,
            "org/name/tokenizer.json": 3,
        }
    )
    (model,) = models(path)
    assert (model.id, model.path, model.size_bytes) == ("org/name", path / "org/name", 110)
    assert (model.model_name, model.variant, model.store) == ("org/name", None, "s")


def test_the_first_format_that_claims_a_folder_has_it(put):
    path = put({"a/config.json": 1, "a/pytorch_model.bin": 30, "a/optimizer.pt": 60, "a/x-Q4_0.gguf": 5})
    assert ids(path) == {"a": 30, "a/x-Q4_0": 5}


def test_an_onnxruntime_genai_folder_has_the_size_of_its_graphs_and_their_data(put):
    path = put({"g/genai_config.json": 1, "g/model.onnx": 10, "g/model.onnx.data": 500, "g/tokenizer.json": 9})
    assert ids(path) == {"g": 510}


def test_folders_in_a_model_are_searched_too(put):
    path = put({"m/config.json": 1, "m/model.safetensors": 20, "m/onnx/model.onnx": 3, "m/onnx/model.onnx_data": 4})
    assert ids(path) == {"m": 20, "m/onnx/model": 7}


def test_a_config_alone_is_no_model(put):
    assert every(put({"a/config.json": 1, "a/tokenizer.json": 1})) == []


def test_the_folder_itself_may_be_a_model(put):
    assert ids(put({"config.json": 1, "model.safetensors": 20})) == {"models": 20}


def test_parts_of_a_pipeline_or_of_an_encoder_are_no_models(put):
    path = put(
        {
            "sd/model_index.json": 1,
            "sd/unet/config.json": 1,
            "sd/unet/diffusion_pytorch_model.safetensors": 9,
            "st/modules.json": 1,
            "st/config.json": 1,
            "st/model.safetensors": 8,
            "st/2_Dense/config.json": 1,
            "st/2_Dense/model.safetensors": 1,
        }
    )
    assert ids(path) == {"st": 8}


def test_a_format_that_raises_keeps_no_other_from_the_folder(put, caplog):
    path = put({"a/config.json": 1, "a/model.safetensors": 20})
    broken = ModelFormat(name="broken", claims=lambda path, head: 1 / 0, read=unread, marks=("config.json",))
    (model,) = walk(ModelFolder(path=path), [broken, *FORMATS], store="s")
    assert model.id == "a"
    assert "format 'broken' failed to look at 'a'" in caplog.text


def test_parts_are_one_model_with_the_size_of_all(put):
    path = put({f"big-Q4_K_M-0000{number}-of-00003.gguf": 10 for number in (1, 2, 3)} | {"big-Q8_0.gguf": 7})
    first, second = models(path)
    assert (first.id, first.model_name, first.variant, first.size_bytes) == ("big-Q4_K_M", "big", "Q4_K_M", 30)
    assert first.path == path / "big-Q4_K_M-00001-of-00003.gguf"
    assert (second.id, second.model_name, second.variant) == ("big-Q8_0", "big", "Q8_0")


def test_parts_without_their_first_are_listed_by_the_first_that_is_there(put):
    path = put({"big-00002-of-00003.gguf": 10, "big-00003-of-00003.gguf": 10})
    (model,) = models(path)
    assert (model.id, model.path.name, model.size_bytes) == ("big", "big-00002-of-00003.gguf", 20)


def test_no_two_models_get_one_id(put):
    sizes = {"a.gguf": 1, "a.onnx": 2, "a-00001-of-00002.gguf": 4, "a-00001-of-00003.gguf": 8, "a.GGUF": 16}
    path = put(sizes | {"a/config.json": 1, "a/model.safetensors": 32})
    assert sum(ids(path).values()) == 63
    assert ids(path)["a"] == 32


def test_projectors_belong_to_the_models_beside_them(put):
    path = put({"v/eye-Q4_0.gguf": 1, "v/eye-Q8_0.gguf": 1, "v/mmproj-eye-f16.gguf": 1, "w/x.gguf": 1})
    first, second, third = models(path)
    assert first.companions == second.companions == (path / "v/mmproj-eye-f16.gguf",)
    assert third.companions == ()


def test_where_many_models_lie_a_projector_belongs_to_its_namesake(put):
    path = put(
        dict.fromkeys(["Eye-2B-Q4_0.gguf", "Ear-3B-Q4_0.gguf", "mmproj-Eye-2B-F16.gguf", "Ear-3B.mmproj-Q8_0.gguf"], 1)
    )
    found = {model.model_name: [path.name for path in model.companions] for model in models(path)}
    assert found == {"Eye-2B": ["mmproj-Eye-2B-F16.gguf"], "Ear-3B": ["Ear-3B.mmproj-Q8_0.gguf"]}


def test_one_model_has_all_projectors_whatever_they_are_called(put):
    path = put({"SmolVLM-Q8_0.gguf": 1, "mmproj-F16.gguf": 1, "mmproj-vision-BF16.gguf": 1})
    (model,) = models(path)
    assert [path.name for path in model.companions] == ["mmproj-F16.gguf", "mmproj-vision-BF16.gguf"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["Rocket-7B-Q4_K_M.gguf", "Rocket-7B-Q8_0.gguf"], ["acme/Rocket-7B-GGUF:Q4_K_M", "acme/Rocket-7B-GGUF:Q8_0"]),
        (["rocket-7b.Q4_0.gguf"], ["acme/Rocket-7B-GGUF:Q4_0"]),
        (["any-name-at-all-f16.gguf"], ["acme/Rocket-7B-GGUF:F16"]),
        (["Rocket-7B.gguf"], ["acme/Rocket-7B-GGUF"]),
        (["BF16/Rocket-7B-BF16-00001-of-00002.gguf"], ["acme/Rocket-7B-GGUF:BF16"]),
        (["Q4_0/model.gguf", "Q8_0/model.gguf"], ["acme/Rocket-7B-GGUF:Q4_0", "acme/Rocket-7B-GGUF:Q8_0"]),
        (["Q4_0.gguf"], ["acme/Rocket-7B-GGUF:Q4_0"]),
        (
            ["Rocket-7B-Q4_0.gguf", "Rocket-Draft-Q4_0.gguf", "Tail.gguf"],
            ["acme/Rocket-7B-GGUF:Q4_0", "acme/Rocket-7B-GGUF/Rocket-Draft:Q4_0", "acme/Rocket-7B-GGUF/Tail"],
        ),
        (
            ["config.json", "model.safetensors", "Rocket-7B-F16.gguf"],
            ["acme/Rocket-7B-GGUF", "acme/Rocket-7B-GGUF:F16"],
        ),
        (
            ["a/Rocket-7B-Q4_0.gguf", "b/Rocket-7B-Q4_0.gguf"],
            ["acme/Rocket-7B-GGUF:Q4_0", "acme/Rocket-7B-GGUF/b/Rocket-7B-Q4_0"],
        ),
        (["onnx/model.onnx", "onnx/model_q4.onnx"], ["acme/Rocket-7B-GGUF", "acme/Rocket-7B-GGUF:Q4"]),
    ],
)
def test_names_in_a_repository(put, files, expected):
    path = put(dict.fromkeys(files, 1))
    assert list(ids(path, name="acme/Rocket-7B-GGUF")) == expected


def test_a_repositorys_models_are_variants_of_it(put):
    path = put({"Rocket-7B-Q4_0.gguf": 1, "Rocket-7B-UD-Q2_K_XL.gguf": 1, "Draft-Q4_0.gguf": 1})
    found = [(model.model_name, model.variant) for model in models(path, name="acme/Rocket-7B")]
    assert found == [("acme/Rocket-7B/Draft", "Q4_0"), ("acme/Rocket-7B", "Q4_0"), ("acme/Rocket-7B", "UD-Q2_K_XL")]


def test_links_to_files_are_followed(put, tmp_path):
    path = put({"a.gguf": 1})
    outside = tmp_path / "outside.gguf"
    outside.write_bytes(b"12")
    (path / "link.gguf").symlink_to(outside)
    assert ids(path) == {"a": 1, "link": 2}


def test_links_that_lead_nowhere_are_told(put, tmp_path):
    path = put({})
    path.mkdir()
    (path / "dead.gguf").symlink_to(tmp_path / "gone")
    (path / "loop.gguf").symlink_to(path / "loop.gguf")
    assert [problem.reason for problem in problems(path)] == [
        "'dead.gguf' in the store 's' is a link to a file that is gone; download it again, or remove the link",
        "'loop.gguf' in the store 's' is a link that leads back to itself; remove it",
    ]


def test_links_to_folders_are_told_and_not_followed(put, tmp_path):
    path = put({"sub/a.gguf": 1})
    (tmp_path / "elsewhere").mkdir()
    write_gguf(tmp_path / "elsewhere/b.gguf")
    (path / "folder").symlink_to(tmp_path / "elsewhere")
    (path / "up").symlink_to(path)
    (path / "sub/again").symlink_to(path / "sub")
    assert ids(path) == {"sub/a": 1}
    (problem,) = problems(path)
    assert problem.reason == (
        "'folder' in the store 's' is a link to a folder, and such links are not followed; add the folder that it "
        "leads to to `folders` of [registry] in uml.toml"
    )


def test_links_out_of_another_programs_store_are_refused(put, tmp_path):
    path = put({"store/a.gguf": 1, "other/b.gguf": 2, "store/sub/inside.gguf": 4})
    store = path / "store"
    (store / "out.gguf").symlink_to(path / "other/b.gguf")
    (store / "out2.gguf").symlink_to("../other/../other/b.gguf")
    (store / "in.gguf").symlink_to("sub/inside.gguf")
    (store / "twice.gguf").symlink_to("out.gguf")
    (store / "detour").symlink_to(path / "other")
    (store / "roundabout.gguf").symlink_to("detour/b.gguf")
    assert ids(store, root=store) == {"a": 1, "in": 4, "sub/inside": 4}
    told = [problem.reason for problem in problems(store, root=store)]
    assert len(told) == 5
    assert "'out.gguf' in the store 's' is a link out of it; add the folder that it leads to to `folders`" in told[1]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_with_a_file_from_outside_its_store_is_refused(put, name):
    path = put({"store/m/config.json": 1, "store/m/model.safetensors": 2, "other/x": 3})
    (path / "store/m" / name).unlink()
    (path / "store/m" / name).symlink_to("../../other/x")
    assert models(path / "store", root=path / "store") == []
    assert [problem.path.name for problem in problems(path / "store", root=path / "store")] == [name]
    assert ids(path / "store") == {"m": 3 if name == "model.safetensors" else 2}


def test_what_a_folder_model_lacks_is_for_its_reader_to_say(put):
    path = put({"m/config.json": 1, "m/model-00001-of-00002.safetensors": 2})
    (path / "m/model-00002-of-00002.safetensors").symlink_to("../gone")
    assert every(path) == models(path)
    assert ids(path) == {"m": 2}


def test_a_blobs_name_is_its_digest(put):
    digest, other = "a" * 64, "b" * 40
    path = put({f"repo/blobs/{digest}": 3, f"repo/blobs/{other}": 4, f"elsewhere/{digest}": 5})
    snapshot = path / "repo/snapshots/c"
    snapshot.mkdir(parents=True)
    (snapshot / "x-Q4_0.gguf").symlink_to(f"../../blobs/{digest}")
    (snapshot / "x-Q8_0.gguf").symlink_to(f"../../blobs/{other}")
    (snapshot / "x-F16.gguf").symlink_to(path / f"elsewhere/{digest}")
    found = models(snapshot, name="o/x", root=path, blobs=path / "repo/blobs")
    assert [(model.variant, model.digest, model.size_bytes) for model in found] == [
        ("F16", None, 5),
        ("Q4_0", digest, 3),
        ("Q8_0", None, 4),
    ]


@pytest.mark.parametrize("name", ["x.gguf", "config.json", "m/model.safetensors"])
def test_pipes_devices_and_folders_are_no_models(put, name):
    path = put({"m/config.json": 1})
    (path / "link.gguf").symlink_to("/dev/zero")
    (path / "folder.gguf").mkdir()
    os.mkfifo(path / name)
    (path / "pipe-link.gguf").symlink_to(name)
    assert every(path) == ([] if name != "m/model.safetensors" else models(path))
    assert ids(path) in ({}, {"m": 0})


def test_a_folder_that_cannot_be_read_is_told(open_folder, as_nobody):
    write_gguf(open_folder / "a.gguf")
    (open_folder / "closed").mkdir(mode=0)
    with as_nobody():
        model, problem = every(open_folder)
    assert model.id == "a"
    assert problem.path == open_folder / "closed"
    assert problem.reason == (
        "'closed' in the store 's' can't be read by this user; give read permission on it and on the folders above it"
    )


def test_deep_folders_have_an_end(put):
    path = put({"/".join(["d"] * 200) + "/deep.gguf": 1, "/".join(["d"] * 16) + "/ok.gguf": 1})
    assert list(ids(path)) == ["d/" * 16 + "ok"]


def test_too_many_files_are_told(put, monkeypatch):
    monkeypatch.setattr(walk_module, "ENTRIES", 20)
    path = put({f"a/{number}.gguf": 1 for number in range(30)} | {"near.gguf": 1})
    assert "near" in ids(path)
    assert len(ids(path)) <= 20
    (problem,) = problems(path)
    assert problem.reason == (
        "'models' in the store 's' has more than 20 files, and only these were looked at; name the folder of "
        "models in it instead"
    )


@pytest.mark.parametrize("count", [1_000, pytest.param(100_000, marks=pytest.mark.proof)])
def test_many_files_and_a_huge_one_take_no_time(tmp_path, count):
    """At most 5 s for each 1,000 models, whatever else lies there."""
    for number in range(count):
        (tmp_path / f"{number}.txt").touch()
    for number in range(200):
        (tmp_path / f"{number}-Q4_0.gguf").touch()
    with (tmp_path / "sparse.gguf").open("wb") as file:
        file.truncate(10 * 2**40 if sys.platform == "linux" else 2**30)
    before = time.process_time()
    found = models(tmp_path)
    assert time.process_time() - before < 1 + count / 50_000
    assert len(found) == 201
