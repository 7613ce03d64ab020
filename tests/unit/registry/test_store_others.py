from __future__ import annotations

import time
from pathlib import Path

import pytest

from uml_core.registry.plugin import BuiltinStores
from uml_core.registry.stores.places import Places
from uml_core.settings import RegistrySettings, read_settings

ALL = ["folder", "starter", "folders", "huggingface", "ollama", "lmstudio", "llama.cpp", "jan", "gpt4all", "textgen"]
OTHERS = ALL[3:]


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", ".local/share/nomic.ai/GPT4All"),
        ("darwin", "Library/Application Support/nomic.ai/GPT4All"),
        ("win32", "AppData/Local/nomic.ai/GPT4All"),
        ("linux", ".cache/gpt4all"),
    ],
)
def test_gpt4all(found, write, tmp_path, model, platform, place):
    folder = tmp_path / "home" / place
    write(folder / "Meta-Llama-3-8B-Instruct.Q4_0.gguf", model())
    write(folder / "incomplete-Phi-3-mini.Q4_0.gguf", b"GGUF")
    write(folder / "localdocs_v3.db")
    (one,) = found("gpt4all", platform)
    assert (one.id, one.model_name, one.variant) == (
        "Meta-Llama-3-8B-Instruct.Q4_0",
        "Meta-Llama-3-8B-Instruct",
        "Q4_0",
    )


@pytest.mark.parametrize(
    ("platform", "place"), [("linux", ".config"), ("darwin", ".config"), ("win32", "AppData/Roaming")]
)
def test_gpt4alls_settings_name_another_folder(found, write, tmp_path, model, platform, place):
    write(tmp_path / "home" / place / "nomic.ai/GPT4All.ini", f"[General]\nmodelPath={tmp_path}/chosen\nthreads=4\n")
    write(tmp_path / "chosen/x.Q4_0.gguf", model())
    assert [one.id for one in found("gpt4all", platform)] == ["x.Q4_0"]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("place", ["text-generation-webui/user_data/models", "textgen/models"])
def test_textgen(found, write, tmp_path, model, platform, place):
    write(tmp_path / "home" / place / "acme_Rocket-Q8_0.gguf", model())
    write(tmp_path / "home" / place / "place-your-models-here.txt")
    assert [one.id for one in found("textgen", platform)] == ["acme_Rocket-Q8_0"]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_programs_that_were_never_here_are_silent(found, name, platform):
    assert found(name, platform) == []


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_in_place_of_a_folder_is_silent(found, write, tmp_path, name):
    for place in (".cache", ".ollama", ".lmstudio", ".local", "textgen", ".config"):
        write(tmp_path / "home" / place, b"")
    assert found(name) == []


def test_a_user_without_a_home(monkeypatch, settings):
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError("no home"))))
    for store in BuiltinStores(settings, Places.here()).uml_model_stores():
        list(store.list())


def test_the_stores_that_are_asked(settings, places, tmp_path):
    def names(**registry) -> list[str]:
        changed = settings.model_copy(update={"registry": RegistrySettings(**registry)})
        return [store.name for store in BuiltinStores(changed, places()).uml_model_stores()]

    assert names() == ALL
    assert names(disabled=["ollama", "folders", "starter", "who"]) == [
        name for name in ALL if name not in ("ollama", "folders", "starter")
    ]


def test_only_umls_own_store_removes_anything(settings, places):
    stores = BuiltinStores(settings, places()).uml_model_stores()
    assert [store.name for store in stores if store.remove] == ["folder"]
    assert all(store.folders for store in stores if store.name in OTHERS)


def test_further_folders(settings, found, write, tmp_path, model, places):
    from uml_core.types import ModelFolder, Unreadable

    write(tmp_path / "more/x.gguf", model())
    registry = RegistrySettings(folders=[tmp_path / "more", tmp_path / "gone"])
    changed = settings.model_copy(update={"registry": registry})
    (store,) = (one for one in BuiltinStores(changed, places()).uml_model_stores() if one.name == "folders")
    assert store.folders == (tmp_path / "more", tmp_path / "gone")
    folder, problem = store.list()
    assert folder == ModelFolder(path=tmp_path / "more")
    assert isinstance(problem, Unreadable)
    assert problem.reason == ("the folder 'gone' of [registry] in uml.toml is not there; correct `folders`, or make it")


@pytest.mark.parametrize(
    ("value", "folders"),
    [
        ("/a:/b", ["/a", "/b"]),
        ("/a,/with space,", ["/a", "/with space"]),
        ("~/models", ["{home}/models"]),
        ("~no-such-user-here/x", ["{cwd}/~no-such-user-here/x"]),
        ("", []),
    ],
)
def test_folders_from_the_environment(monkeypatch, tmp_path, value, folders):
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("UML_REGISTRY__FOLDERS", value)
    monkeypatch.setenv("UML_REGISTRY__DISABLED", "ollama jan")
    read = read_settings().registry
    assert read.folders == [Path(text.format(home=Path.home(), cwd=Path.cwd())) for text in folders]
    assert read.disabled == ["ollama", "jan"]


def test_folders_from_the_file(monkeypatch, tmp_path):
    (tmp_path / "uml.toml").write_text('[registry]\nfolders = ["~/a", "/b,c:d"]\nwatch = true\n')
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    read = read_settings().registry
    assert (read.folders, read.watch) == ([Path.home() / "a", Path("/b,c:d")], True)


def test_many_models_are_listed_in_no_time(registry, write, tmp_path, model):
    content = model()
    for number in range(300):
        write(tmp_path / f"home/.lmstudio/models/org{number % 7}/m{number}/m{number}-Q4_0.gguf", content)
    before = time.process_time()
    assert len(registry().models()) == 300
    assert time.process_time() - before < 1.0
