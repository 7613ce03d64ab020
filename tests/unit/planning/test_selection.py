from __future__ import annotations

import threading

import pytest

from uml_core.errors import NoBackendError, SettingsError, UnknownBackendError
from uml_core.planning import detection
from uml_core.types import HostInfo, Level, LoadRequest, Match, ModelSource, Rejected

REQUEST = LoadRequest(model="Tiny")
NATIVE, FALLBACK = Match(Level.NATIVE, "made for GGUF"), Match(Level.FALLBACK, "converts GGUF")


def test_the_only_backend(setup, backend):
    plan = setup.planner(backend("one")).plan(REQUEST)
    assert (plan.backend, plan.reason, plan.rejected) == ("one", "it is the only one that can", {})


def test_what_a_backend_is_asked_with(setup, backend, tmp_path):
    one = backend("one")
    setup.planner(one, plugins={"one": {"binary": "/bin/engine"}}).plan(REQUEST)
    ((model, host, settings),) = one.asked
    assert isinstance(model, ModelSource)
    assert model.architecture == "llama"
    assert isinstance(host, HostInfo)
    assert str(settings["binary"]) == "/bin/engine"


def test_the_highest_level_wins(setup, backend):
    plan = setup.planner(backend("a"), backend("b", NATIVE), backend("c", FALLBACK)).plan(REQUEST)
    assert (plan.backend, plan.reason) == ("b", "it suits the model best (native)")
    assert plan.rejected == {
        "a": "could load it too (supported: it reads GGUF)",
        "c": "could load it too (fallback: converts GGUF)",
    }


def test_a_tie_is_settled_by_the_setting(setup, backend):
    planner = setup.planner(
        backend("a"), backend("b"), backend("c", FALLBACK), plugins={"prefer": ["c", "x", "b", "a"]}
    )
    plan = planner.plan(REQUEST)
    assert (plan.backend, plan.reason) == ("b", "it is preferred in uml.toml to 'a'")


def test_then_by_name(setup, backend):
    plan = setup.planner(backend("b"), backend("c"), backend("a")).plan(REQUEST)
    assert (plan.backend, plan.reason) == (
        "a",
        "by name, for 'b' and 'c' would do as well; `prefer` in [plugins] of uml.toml decides",
    )


def test_the_backend_that_was_asked_for(setup, backend):
    best = backend("best", NATIVE)
    plan = setup.planner(best, backend("mine")).plan(LoadRequest(model="Tiny", backend="mine"))
    assert (plan.backend, plan.reason) == ("mine", "it was asked for")
    assert best.asked == []


def test_the_backend_that_the_settings_name_for_the_model(setup, backend):
    planner = setup.planner(backend("a"), backend("b"), models={"Tiny": {"backend": "b"}})
    plan = planner.plan(REQUEST)
    assert (plan.backend, plan.reason) == ("b", "uml.toml names it for this model")
    assert planner.plan(LoadRequest(model="Tiny", backend="a")).reason == "it was asked for"


@pytest.mark.parametrize("backends", [(), ("a", "b")])
def test_a_backend_that_there_is_not(setup, backend, backends):
    known = ", ".join(backends) or "none"
    with pytest.raises(UnknownBackendError, match=rf"no backend 'x' here \(installed: {known}\)") as caught:
        setup.planner(*map(backend, backends)).plan(LoadRequest(model="Tiny", backend="x"))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "unknown_backend", "backend")


def test_no_backend_at_all(setup):
    with pytest.raises(
        NoBackendError, match="no backend is installed that reads gguf, so 'Tiny' can't be loaded; pip "
    ):
        setup.planner().plan(REQUEST)


def raises():
    raise OSError("the driver is gone")


def exits():
    raise SystemExit


def times_out():
    raise TimeoutError("the device did not answer")


def test_every_backend_says_why_not(setup, backend):
    backends = [
        backend("absent", Rejected("its engine is not installed", hint="pip install engine")),
        backend("broken", raises),
        backend("declining", lambda: None),
        backend("exiting", exits),
        backend("impatient", times_out),
        backend("onnx", formats=("onnx", "safetensors")),
        backend("untyped", "yes"),
        backend("wrong"),
        backend("spare", Rejected("needs a GPU")),
    ]
    planner = setup.planner(*backends, plugins={"wrong": {"binray": "/x"}})
    with pytest.raises(NoBackendError) as caught:
        planner.plan(REQUEST)
    assert caught.value.message == "no installed backend can load 'Tiny' (format 'gguf')"
    assert caught.value.detail == (
        "absent: its engine is not installed; pip install engine",
        "broken: failed to look at the model: the driver is gone",
        "declining: says that this gguf file is not for it",
        "exiting: failed to look at the model: SystemExit",
        "impatient: failed to look at the model: the device did not answer",
        "onnx: reads onnx and safetensors, not gguf",
        "spare: needs a GPU",
        "untyped: gave a str and no Match; tell its makers",
        "wrong: 'binray' in [plugins.wrong] of uml.toml is unknown (did you mean 'binary'?); its settings are: binary",
    )
    assert (caught.value.status, caught.value.code) == (422, "no_backend")


def test_one_that_can_is_chosen_whatever_the_others_do(setup, backend):
    plan = setup.planner(backend("broken", raises), backend("exiting", exits), backend("good", FALLBACK)).plan(REQUEST)
    assert plan.backend == "good"
    assert plan.rejected == {
        "broken": "failed to look at the model: the driver is gone",
        "exiting": "failed to look at the model: SystemExit",
    }


def test_a_backend_that_hangs_is_left_behind(setup, backend, monkeypatch):
    monkeypatch.setattr(detection, "DETECT_S", 0.2)
    ended = threading.Event()
    plan = setup.planner(backend("hanging", lambda: ended.wait(30)), backend("good")).plan(REQUEST)
    ended.set()
    assert plan.backend == "good"
    assert plan.rejected == {"hanging": "did not say within 0.2 seconds whether it can load the model"}


def test_the_backend_that_was_asked_for_can_not(setup, backend):
    planner = setup.planner(backend("other"), backend("mine", Rejected("needs a GPU", hint="buy one")))
    with pytest.raises(NoBackendError) as caught:
        planner.plan(LoadRequest(model="Tiny", backend="mine"))
    assert str(caught.value) == "the backend 'mine' can't load 'Tiny'\nmine: needs a GPU; buy one"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"binary": 5}, r"'binary' in \[plugins\.one\] of uml\.toml is wrong: .*; its settings are: binary"),
        ("on", r"\[plugins\] one in uml\.toml must be a table, \[plugins\.one\]"),
    ],
)
def test_wrong_settings_of_the_backend_that_was_asked_for(setup, backend, table, sentence):
    with pytest.raises(SettingsError, match=sentence):
        setup.planner(backend("one"), plugins={"one": table}).plan(LoadRequest(model="Tiny", backend="one"))


def test_a_table_for_a_backend_without_settings(setup, backend):
    planner = setup.planner(backend("one", settings=None), plugins={"one": {"x": 1}})
    with pytest.raises(SettingsError, match="this backend has no settings; remove the table"):
        planner.plan(LoadRequest(model="Tiny", backend="one"))


def test_no_backend_reads_such_files(setup, backend):
    with pytest.raises(NoBackendError, match="no backend is installed that reads gguf, so 'Tiny' can't") as caught:
        setup.planner(backend("onnx", formats=("onnx",))).plan(REQUEST)
    assert caught.value.detail == ("onnx: reads onnx, not gguf",)
