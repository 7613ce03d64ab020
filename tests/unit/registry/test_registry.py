from __future__ import annotations

import os

import pytest
from attrs import evolve

from uml_core.errors import InvalidModelFileError, ModelNotFoundError, SettingsError
from uml_core.inspection.plugin import uml_model_formats
from uml_core.registry import Registry
from uml_core.settings import ModelSettings
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelStore, StoredModel, Unreadable


@pytest.fixture
def three(put):
    return [put(f"{name}.gguf") for name in ("acme/Rocket-7B.Q4_K_M", "acme/Rocket-7B.Q8_0", "Sky-1B")]


@pytest.mark.parametrize(
    ("ref", "id"),
    [
        ("Sky-1B", "Sky-1B"),
        ("sky-1b", "Sky-1B"),
        ("acme/Rocket-7B.Q8_0", "acme/Rocket-7B.Q8_0"),
        ("ACME/rocket-7b.q8_0", "acme/Rocket-7B.Q8_0"),
        ("Rocket-7B.Q8_0", "acme/Rocket-7B.Q8_0"),
        ("rocket-7b.q8", "acme/Rocket-7B.Q8_0"),
        ("acme/rocket-7b.q4", "acme/Rocket-7B.Q4_K_M"),
        ("sky", "Sky-1B"),
        ("s", "Sky-1B"),
        ("acme/Rocket-7B:Q8_0", "acme/Rocket-7B.Q8_0"),
        ("rocket-7b:q4_k_m", "acme/Rocket-7B.Q4_K_M"),
        ("rocket-7b:q4", "acme/Rocket-7B.Q4_K_M"),
    ],
)
def test_names_that_find_a_model(registry, three, ref, id):
    assert registry().find(ref).id == id


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        (
            "rocket-7b.q",
            "'rocket-7b.q' could be 'acme/Rocket-7B.Q4_K_M' or 'acme/Rocket-7B.Q8_0'; write more of the name",
        ),
        ("skye-1b", "there is no model 'skye-1b'; did you mean 'Sky-1B'? `uml list` shows all"),
        ("something else", "there is no model 'something else'; `uml list` shows all"),
        ("Sky-1B.gguf", "there is no model 'Sky-1B.gguf'; did you mean 'Sky-1B'? `uml list` shows all"),
        ("", "there is no model ''; `uml list` shows all"),
        ("\x1b[2J", "there is no model '\ufffd[2J'; `uml list` shows all"),
    ],
)
def test_names_that_find_none(registry, three, ref, sentence):
    with pytest.raises(ModelNotFoundError) as caught:
        registry().find(ref)
    assert str(caught.value) == sentence
    assert (caught.value.status, caught.value.code, caught.value.exit_code) == (404, "model_not_found", 3)


@pytest.mark.parametrize("ref", ["/etc/passwd", "../../etc/passwd", "~/x", "C:\\x", "./zzz.gguf"])
def test_paths_over_http_are_refused(registry, three, ref):
    with pytest.raises(ModelNotFoundError, match="over HTTP a model is one of the ids that GET /models lists"):
        registry().find(ref)


def test_a_path_over_http_is_refused_also_if_it_is_there(registry, three):
    with pytest.raises(ModelNotFoundError):
        registry().find(str(three[2]))


def test_no_model_at_all(registry):
    with pytest.raises(ModelNotFoundError, match="nor any other on this machine; `uml pull starter` fetches a small"):
        registry().find("x")


def test_an_exact_name_wins_over_a_longer_one(registry, put):
    put("a.gguf"), put("ab.gguf"), put("org/a.gguf")
    assert registry().find("a").id == "a"
    assert registry().find("A").id == "a"


def test_aliases(registry, three):
    models = {"Sky-1B": ModelSettings(alias="sky"), "acme/Rocket-7B.Q8_0": ModelSettings(alias="default")}
    assert registry(models=models).find("default").id == "acme/Rocket-7B.Q8_0"


def test_an_alias_of_a_model_that_is_gone(registry, three):
    with pytest.raises(ModelNotFoundError, match="there is no model 'old'"):
        registry(models={"Gone": ModelSettings(alias="old")}).find("old")


def test_an_alias_given_twice(registry, three):
    models = {"Sky-1B": ModelSettings(alias="x"), "acme/Rocket-7B.Q8_0": ModelSettings(alias="x")}
    with pytest.raises(SettingsError, match=r"the alias 'x' is given to both 'Sky-1B' and 'acme/Rocket-7B\.Q8_0'"):
        registry(models=models).find("x")


def test_a_path_from_the_command_line(registry, three, tmp_path, monkeypatch):
    path = write_gguf(tmp_path / "mine.gguf", {"general.architecture": "llama"})
    monkeypatch.chdir(tmp_path)
    for ref in (str(path), "./mine.gguf", "mine.gguf"):
        model = registry().find(ref, allow_path=True)
        assert (model.id, model.store, model.size_bytes) == ("mine", "path", path.stat().st_size)
        assert model.path == path


def test_a_path_into_the_models_folder_is_the_model_there(registry, three):
    assert registry().find(str(three[0]), allow_path=True).id == "acme/Rocket-7B.Q4_K_M"


def test_a_path_of_a_file_that_is_named_like_a_model(registry, three, tmp_path):
    path = write_gguf(tmp_path / "Sky-1B.gguf")
    assert registry().find(str(path), allow_path=True).id == str(path)


def test_a_path_of_no_file(registry, three):
    with pytest.raises(ModelNotFoundError, match=r"there is no model '/gone\.gguf' and no such file; `uml list`"):
        registry().find("/gone.gguf", allow_path=True)


@pytest.mark.parametrize("ref", ["/" + "x" * 5000, "why a/b?\0", "~nobody-of-that-name/x", "x" * 10**7 + ".gguf"])
def test_texts_that_can_be_no_path(registry, three, ref):
    with pytest.raises(ModelNotFoundError) as caught:
        registry().find(ref, allow_path=True)
    assert len(str(caught.value)) < 200


def test_a_path_that_may_not_be_read(registry, three, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    privileged, found = os.geteuid() == 0, registry()
    if privileged:
        os.seteuid(65534)
    try:
        model = found.find(str(closed / "x.gguf"), allow_path=True)
        with pytest.raises(InvalidModelFileError, match="can't be read by this user"):
            found.source(model)
    finally:
        if privileged:
            os.seteuid(0)


@pytest.mark.parametrize("ref", ["starter", "SmolLM2", "SmolLM2-135M-Instruct", "smollm2-135m-instruct.q4_1"])
def test_the_starter_model_is_offered_until_it_is_there(registry, put, ref):
    with pytest.raises(ModelNotFoundError, match=f"the model '{ref}' is not on this machine yet; `uml pull {ref}`"):
        registry().find(ref)
    offer = registry().offer(ref)
    assert (offer.size_bytes, offer.license, offer.title) == (92_871_040, "Apache-2.0", "SmolLM2-135M-Instruct")
    put(f"{offer.id}.gguf")
    assert registry().find(ref).id == offer.id


def test_what_is_not_offered(registry):
    assert registry().offer("llama") is None


def test_a_second_model_of_one_id_gets_its_stores_name(registry, three, tmp_path):
    other = StoredModel(id="Sky-1B", path=tmp_path / "other", size_bytes=1, store="usb")
    found = registry(ModelStore(name="usb", list=lambda: [other]))
    assert found.find("Sky-1B").path == three[2]
    assert found.find("usb/Sky-1B") == evolve(other, id="usb/Sky-1B")


def test_a_store_that_fails_is_left_out_and_told(registry, three, caplog):
    found = registry(ModelStore(name="broken", list=lambda: 1 / 0))
    assert len(found.models()) == 3
    assert "the store 'broken' could not be read" in caplog.text
    assert [problem.reason for problem in found.problems] == [
        "the store 'broken' could not be read: ZeroDivisionError: division by zero; tell its makers"
    ]


def test_a_place_that_cannot_be_read_is_told(registry, three, tmp_path):
    closed = Unreadable(path=tmp_path, reason="it is closed")
    found = registry(ModelStore(name="usb", list=lambda: [closed]))
    assert len(found.models()) == 3
    assert found.problems == (closed,)


def test_a_header_is_read_again_only_if_the_file_changed(settings, three):
    reads = []
    gguf = next(format for format in uml_model_formats() if format.name == "gguf")
    counting = evolve(gguf, read=lambda path: reads.append(path) or gguf.read(path))
    registry = Registry([], [counting], settings)
    model = StoredModel(id="x", path=three[2], size_bytes=1, store="folder")
    assert registry.source(model) is registry.source(model)
    write_gguf(three[2], {"general.architecture": "other"}, tensors={"w": (32,)})
    assert registry.source(model).architecture == "other"
    os.utime(three[2], ns=(1, 1))
    registry.source(model)
    assert len(reads) == 3


def test_a_model_whose_file_is_gone(registry, three):
    found = registry(formats=tuple(uml_model_formats()))
    model = found.find("Sky-1B")
    found.source(model)
    three[2].unlink()
    with pytest.raises(InvalidModelFileError, match=r"there is no file 'Sky-1B\.gguf'"):
        found.source(model)
