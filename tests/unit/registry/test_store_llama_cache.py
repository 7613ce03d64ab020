from __future__ import annotations

import json

import pytest

from uml_core.types import ModelFolder

DIGEST = "d" * 64


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home/.cache/llama.cpp"


@pytest.fixture
def manifest(write):
    """What llama.cpp keeps of a repository's manifest."""

    def make(folder, name, tag, file, **more):
        content = {"ggufFile": {"rfilename": file, "size": 1, "lfs": {"sha256": DIGEST, "size": 1}}} | more
        return write(folder / f"manifest={name.replace('/', '=')}={tag}.json", json.dumps(content))

    return make


def test_with_its_manifest_a_file_is_called_by_its_repository(found, folder, write, manifest, model):
    write(folder / "acme_Rocket-7B-GGUF_Rocket-7B-Q4_K_M.gguf", model())
    write(folder / "acme_Rocket-7B-GGUF_Rocket-7B-Q4_K_M.gguf.etag", '"x"')
    manifest(folder, "acme/Rocket-7B-GGUF", "latest", "Rocket-7B-Q4_K_M.gguf")
    (one,) = found("llama.cpp")
    assert (one.id, one.model_name, one.variant) == ("acme/Rocket-7B-GGUF:Q4_K_M", "acme/Rocket-7B-GGUF", "Q4_K_M")
    assert (one.digest, one.size_bytes, one.store) == (DIGEST, len(model()), "llama.cpp")


def test_with_its_projector(found, folder, write, manifest, model):
    write(folder / "acme_Eye_sub_Eye-Q8_0.gguf", model())
    write(folder / "acme_Eye_mmproj-Eye-F16.gguf", model("eye"))
    manifest(folder, "acme/Eye", "Q8_0", "sub/Eye-Q8_0.gguf", mmprojFile={"rfilename": "mmproj-Eye-F16.gguf"})
    (one,) = found("llama.cpp")
    assert (one.id, [path.name for path in one.companions]) == ("acme/Eye:Q8_0", ["acme_Eye_mmproj-Eye-F16.gguf"])


def test_with_the_address_that_older_versions_noted(found, folder, write, model):
    write(folder / "anything.gguf", model())
    note = {"url": "https://huggingface.co/acme/Rocket/resolve/main/Rocket-F16.gguf", "etag": f'"{DIGEST}"'}
    write(folder / "anything.gguf.json", json.dumps(note | {"lastModified": "Mon, 01 Jan 2024 00:00:00 GMT"}))
    (one,) = found("llama.cpp")
    assert (one.id, one.digest) == ("acme/Rocket", DIGEST)


def test_without_a_note_it_is_called_by_its_file(found, folder, write, model):
    for name in ("x-Q4_0.gguf", "big-Q8_0-00001-of-00002.gguf", "big-Q8_0-00002-of-00002.gguf", "mmproj-x-f16.gguf"):
        write(folder / name, model())
    write(folder / "x-Q4_0.gguf.downloadInProgress", b"x")
    big, small = found("llama.cpp")
    assert (big.id, big.size_bytes) == ("big-Q8_0", 2 * len(model()))
    assert (small.id, small.variant, len(small.companions)) == ("x-Q4_0", "Q4_0", 1)


def test_two_files_of_one_name(found, folder, write, manifest, model):
    write(folder / "acme_x_a.gguf", model("a"))
    write(folder / "acme_x_b.gguf", model("b"))
    manifest(folder, "acme/x", "a", "a.gguf")
    manifest(folder, "acme/x", "b", "b.gguf")
    assert [one.id for one in found("llama.cpp")] == ["acme/x", "acme_x_b"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"ggufFile": 5}',
        b'{"ggufFile": {"rfilename": 7}}',
        b'{"ggufFile": {"rfilename": "../../x.gguf"}}',
        b'{"ggufFile": {"rfilename": "x.gguf", "lfs": [1]}, "mmprojFile": {"rfilename": "../mmproj"}}',
        b'{"url": "https://[broken/x/y/resolve/main/z", "etag": 5}',
        b'{"url": "file:///a/b/resolve/c"}',
    ],
)
def test_notes_that_say_nothing_do_no_harm(found, folder, write, model, content):
    write(folder / "manifest=a=b=c.json", content)
    write(folder / "z.gguf.json", content)
    write(folder / "z.gguf", model())
    (one,) = found("llama.cpp")
    assert (one.id, one.digest, one.companions) == ("z", None, ())


def test_links_that_lead_out_and_odd_files_are_left_out(found, folder, write, tmp_path, model):
    write(tmp_path / "outside.gguf", model())
    write(folder / "in.gguf", model())
    (folder / "out.gguf").symlink_to(tmp_path / "outside.gguf")
    (folder / "zero.gguf").symlink_to("/dev/zero")
    (folder / "dir.gguf").mkdir()
    assert [one.id for one in found("llama.cpp") if not isinstance(one, ModelFolder)] == ["in"]


@pytest.mark.parametrize(
    ("platform", "environment", "place"),
    [
        ("linux", {}, "home/.cache/llama.cpp"),
        ("linux", {"XDG_CACHE_HOME": "{tmp}/xdg"}, "xdg/llama.cpp"),
        ("darwin", {}, "home/Library/Caches/llama.cpp"),
        ("win32", {}, "home/AppData/Local/llama.cpp"),
        ("win32", {"LOCALAPPDATA": "{tmp}/local"}, "local/llama.cpp"),
        ("darwin", {"LLAMA_CACHE": "{tmp}/chosen"}, "chosen"),
    ],
)
def test_where_the_cache_is(found, write, tmp_path, model, platform, environment, place):
    write(tmp_path / place / "x.gguf", model())
    named = {name: value.format(tmp=tmp_path) for name, value in environment.items()}
    assert [one.id for one in found("llama.cpp", platform, **named)] == ["x"]


def test_newer_versions_put_repositories_into_the_folder_that_was_named(found, write, tmp_path, model):
    commit = "a" * 40
    write(tmp_path / f"chosen/models--acme--x/snapshots/{commit}/x-Q4_0.gguf", model())
    write(tmp_path / "chosen/models--acme--x/refs/main", commit)
    assert [one.id for one in found("llama.cpp", LLAMA_CACHE=str(tmp_path / "chosen"))] == ["acme/x:Q4_0"]
