from __future__ import annotations

import json
import os

import pytest


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_repositories_of_publishers(found, write, home, model, platform):
    folder = home / ".lmstudio/models"
    write(folder / "lmstudio-community/Rocket-7B-GGUF/Rocket-7B-Q4_K_M.gguf", model())
    write(folder / "lmstudio-community/Rocket-7B-GGUF/mmproj-model-f16.gguf", model("eye"))
    write(folder / "lmstudio-community/Rocket-7B-GGUF/downloading_Rocket-7B-Q8_0.gguf.part", b"x")
    write(folder / ".DS_Store")
    write(folder / "stray.gguf", model())
    (one,) = found("lmstudio", platform)
    assert (one.id, one.variant, one.store) == ("lmstudio-community/Rocket-7B-GGUF:Q4_K_M", "Q4_K_M", "lmstudio")
    assert [path.name for path in one.companions] == ["mmproj-model-f16.gguf"]


def test_what_came_with_it(found, write, home, model):
    write(home / ".lmstudio/.internal/bundled-models/nomic-ai/nomic-embed-GGUF/nomic-embed.Q4_K_M.gguf", model())
    assert [one.id for one in found("lmstudio")] == ["nomic-ai/nomic-embed-GGUF:Q4_K_M"]


def test_a_home_that_was_moved_and_a_folder_that_was_chosen(found, write, home, tmp_path, model):
    write(home / ".lmstudio-home-pointer", f"{tmp_path}/moved\n")
    write(tmp_path / "moved/models/a/b/b.gguf", model())
    assert [one.id for one in found("lmstudio")] == ["a/b"]
    write(tmp_path / "moved/settings.json", json.dumps({"downloadsFolder": f"{tmp_path}/chosen", "language": "en"}))
    write(tmp_path / "chosen/c/d/d.gguf", model())
    assert [one.id for one in found("lmstudio")] == ["c/d"]


def test_the_old_place(found, write, home, model):
    write(home / ".cache/lm-studio/models/a/b/b-Q8_0.gguf", model())
    assert [one.id for one in found("lmstudio")] == ["a/b:Q8_0"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"downloadsFolder": 5}', b'{"downloadsFolder": "rel"}', b"\xff"]
)
def test_settings_that_say_nothing(found, write, home, model, content):
    write(home / ".lmstudio/settings.json", content)
    write(home / ".lmstudio-home-pointer", content[:1])
    write(home / ".lmstudio/models/a/b/b.gguf", model())
    assert [one.id for one in found("lmstudio")] == ["a/b"]


def test_settings_that_would_hang(found, write, home, model):
    write(home / ".lmstudio/models/a/b/b.gguf", model())
    os.mkfifo(home / ".lmstudio/settings.json")
    (home / ".lmstudio-home-pointer").symlink_to("/dev/zero")
    assert [one.id for one in found("lmstudio")] == ["a/b"]


def test_links_that_lead_out_are_told(found, write, home, tmp_path, model):
    write(tmp_path / "elsewhere/x.gguf", model())
    repository = home / ".lmstudio/models/a/b"
    repository.mkdir(parents=True)
    (repository / "x.gguf").symlink_to(tmp_path / "elsewhere/x.gguf")
    (repository.parent / "c").symlink_to(tmp_path / "elsewhere")
    assert sorted(one.reason.partition(";")[0] for one in found("lmstudio")) == [
        "'c' in the store 'lmstudio' is a link out of it",
        "'x.gguf' in the store 'lmstudio' is a link out of it",
    ]


def test_a_publisher_that_is_closed(open_folder, as_nobody, places, write, model):
    from attrs import evolve

    from uml_core.registry.stores import lmstudio

    write(open_folder / ".lmstudio/models/a/b/b.gguf", model())
    (open_folder / ".lmstudio/models/a").chmod(0)
    store = lmstudio.store(evolve(places(), home=open_folder))
    with as_nobody():
        (problem,) = store.list()
    assert problem.reason.startswith("'a' in the store 'lmstudio' can't be read by this user; give read permission")
