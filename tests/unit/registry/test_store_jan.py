from __future__ import annotations

import json
import os

import pytest

CARD = "embedding: false\nmodel_path: {path}\nname: Rocket\nsize_bytes: 1\n"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "home/.local/share/Jan/data"


@pytest.fixture
def imported(write, model):
    """A model as Jan writes it."""

    def make(data, id, *, card=None, file="model.gguf"):
        path = f"llamacpp/models/{id}/{file}"
        write(data / path, model())
        write(data / f"llamacpp/models/{id}/model.yml", (card or CARD).format(path=path))
        return data / path

    return make


def test_a_model(found, data, imported, model):
    path = imported(data, "Rocket-7B-Q4_K_M")
    (one,) = found("jan")
    assert (one.id, one.model_name, one.variant) == ("Rocket-7B-Q4_K_M", "Rocket-7B", "Q4_K_M")
    assert (one.path, one.size_bytes, one.store) == (path, len(model()), "jan")


def test_an_id_with_slashes_quotes_a_projector_and_parts(found, data, imported, write, model):
    card = "model_path: \"{path}\"\nmmproj_path: 'llamacpp/models/org/Eye_Q8_0/mmproj.gguf'\n"
    write(data / "llamacpp/models/org/Eye_Q8_0/x-00002-of-00002.gguf", model())
    write(data / "llamacpp/models/org/Eye_Q8_0/mmproj.gguf", model())
    imported(data, "org/Eye_Q8_0", card=card, file="x-00001-of-00002.gguf")
    (one,) = found("jan")
    assert (one.id, one.variant, one.size_bytes) == ("org/Eye_Q8_0", "Q8_0", 2 * len(model()))
    assert [path.name for path in one.companions] == ["mmproj.gguf"]


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ("", "'model.yml' is empty"),
        ("name: x\n", "its model.yml names no file in Jan's data folder"),
        ("model_path:\n", "its model.yml names no file in Jan's data folder"),
        ("model_path: /etc/passwd\n", "its model.yml names no file in Jan's data folder"),
        ("model_path: ../../../../x.gguf\n", "its model.yml names no file in Jan's data folder"),
        ("nested:\n  model_path: {path}\n", "its model.yml names no file in Jan's data folder"),
        ("model_path: a\0b\n", "its model.yml names no file in Jan's data folder"),
        ("model_path: llamacpp/models/gone.gguf\n", "its file can't be read: No such file or directory"),
        ("x" * 5 * 2**20, "'model.yml' has 5,242,880 bytes, which is too much to be true"),
    ],
)
def test_what_cannot_be_used_is_told(found, data, imported, write, card, why):
    imported(data, "bad")
    write(data / "llamacpp/models/bad/model.yml", card)
    (problem,) = found("jan")
    assert problem.reason == (
        f"Jan's 'bad' can't be used: {why}; fetch it again in Jan, or add the folder of its file to `folders` of "
        "[registry] in uml.toml"
    )


def test_a_link_that_leads_out_is_refused(found, data, imported, tmp_path):
    path = imported(data, "x")
    path.rename(tmp_path / "outside.gguf")
    path.symlink_to(tmp_path / "outside.gguf")
    (problem,) = found("jan")
    assert "its model.yml names no file in Jan's data folder" in problem.reason


def test_a_card_that_would_hang(found, data, imported):
    imported(data, "x")
    (data / "llamacpp/models/x/model.yml").unlink()
    os.mkfifo(data / "llamacpp/models/x/model.yml")
    (problem,) = found("jan")
    assert "'model.yml' is a pipe or a device" in problem.reason


def test_models_of_other_engines_are_left_out(found, data, imported, write):
    card = "model_path: mlx/models/x/model.safetensors\n"
    write(data / "mlx/models/x/model.safetensors", b"x")
    write(data / "mlx/models/x/model.yml", card)
    write(data / "threads/t/thread.json", b"{}")
    imported(data, "y")
    assert [one.id for one in found("jan")] == ["y"]


@pytest.mark.parametrize(
    ("platform", "environment", "place"),
    [
        ("linux", {}, "home/.local/share/Jan/data"),
        ("linux", {"XDG_DATA_HOME": "{tmp}/xdg"}, "xdg/Jan/data"),
        ("linux", {}, "home/.config/Jan/data"),
        ("darwin", {}, "home/Library/Application Support/Jan/data"),
        ("win32", {}, "home/AppData/Roaming/Jan/data"),
        ("win32", {"APPDATA": "{tmp}/roaming"}, "roaming/Jan/data"),
        ("linux", {"JAN_DATA_FOLDER": "{tmp}/jan"}, "jan"),
        ("win32", {"JAN_DATA_ROOT": "{tmp}/root"}, "root/Jan/data"),
    ],
)
def test_where_its_data_is(found, imported, tmp_path, platform, environment, place):
    imported(tmp_path / place, "x")
    named = {name: value.format(tmp=tmp_path) for name, value in environment.items()}
    assert [one.id for one in found("jan", platform, **named)] == ["x"]


def test_where_its_settings_say(found, write, imported, tmp_path):
    write(tmp_path / "home/.local/share/Jan/settings.json", json.dumps({"data_folder": f"{tmp_path}/chosen"}))
    imported(tmp_path / "chosen", "x")
    assert [one.id for one in found("jan")] == ["x"]
