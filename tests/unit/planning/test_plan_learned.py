"""A plan goes by what was measured of this model, as it is now, on this machine."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from uml_core.errors import InvalidModelFileError, InvalidOptionsError, PermissionDeniedError
from uml_core.host import probe_host
from uml_core.host.machine import machine_name
from uml_core.planning.threads import default_pair
from uml_core.planning.usable import require_usable
from uml_core.settings import Settings
from uml_core.types import Level, LoadRequest, Match, ModelCard, Profile, Rejected

REQUEST = LoadRequest(model="Tiny")


@pytest.fixture
def measure(setup):
    """Have a planner know measurements: speed by backend, threads and spin."""

    def put(planner, *rows, **rest):
        known = Profile(
            model_id="Tiny",
            model_bytes=planner.registry.source(planner.registry.find("Tiny")).size_bytes,
            backend="",
            engine="engine 1",
            machine=machine_name(),
            threads=1,
            context_length=512,
            measured=datetime.now(UTC),
        )
        for backend, (threads, spin), speed in rows:
            said = {"backend": backend, "threads": threads, "spin": spin, "decode_tokens_per_s": speed, **rest}
            planner.registry.records.put_profile(evolve(known, **said))
        return planner

    return put


USUAL = default_pair(probe_host())
OTHER = (USUAL[0] + 7, False)


def test_the_faster_backend_and_its_threads(setup, backend, measure):
    planner = setup.planner(backend("a", Match(Level.NATIVE, "made for it")), backend("b"))
    measure(planner, ("a", USUAL, 61), ("b", USUAL, 83), ("a", OTHER, 60), ("b", OTHER, 99))
    plan = planner.plan(REQUEST)
    assert (plan.backend, plan.threads, plan.spin) == ("b", *OTHER)
    assert plan.reason.startswith("it was faster here: 99 against 61 tokens/s of 'a'; ")
    assert f"`uml bench` learned {OTHER[0]} threads, not spinning: 99 against 83 tokens/s" in plan.reason
    assert plan.rejected == {"a": "could load it too (native: made for it; 61 tokens/s here)"}


@pytest.mark.parametrize(
    "rest", [{"machine": "another"}, {"model_bytes": 5}, {"model_id": "Other"}, {"busy": True}, {"source": "served"}]
)
def test_what_was_measured_of_something_else(setup, backend, measure, rest):
    planner = setup.planner(backend("a"), backend("b"))
    plan = measure(planner, ("a", USUAL, 1), ("b", USUAL, 83), ("a", OTHER, 99), **rest).plan(REQUEST)
    assert (plan.backend, plan.threads, plan.spin) == ("a", *USUAL)


@pytest.mark.parametrize(
    ("request_", "settings", "planned"),
    [
        ({}, {}, OTHER),
        ({"threads": 3}, {}, (3, None)),
        ({"spin": True}, {}, (USUAL[0], True)),
        ({"threads": 3, "spin": False}, {}, (3, False)),
        ({}, {"threads": 4}, (4, None)),
        ({}, {"spin": False}, (USUAL[0], False)),
        ({}, {"threads": 4, "models": {"Tiny": {"threads": 5, "spin": True}}}, (5, True)),
        ({"threads": 3}, {"models": {"Tiny": {"threads": 5, "spin": True}}}, (3, True)),
    ],
)
def test_what_somebody_said_goes_before_what_was_learned(setup, backend, measure, request_, settings, planned):
    planner = measure(setup.planner(backend("a"), **settings), ("a", USUAL, 50), ("a", OTHER, 99))
    plan = planner.plan(LoadRequest(model="Tiny", **request_))
    assert (plan.threads, plan.spin) == planned


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_threads_out_of_range(setup, backend, threads):
    with pytest.raises(InvalidOptionsError, match=f"threads is {threads}, but must be from 1 to 1024") as caught:
        setup.planner(backend("a")).plan(LoadRequest(model="Tiny", threads=threads))
    assert caught.value.param == "threads"


def test_what_every_backend_says(setup, backend, measure):
    planner = setup.planner(
        backend("a", Match(Level.NATIVE, "made for it")),
        backend("b"),
        backend("absent", Rejected("its engine is not installed", hint="pip install engine")),
        backend("onnx", formats=("onnx",)),
    )
    answers = measure(planner, ("a", USUAL, 61), ("b", USUAL, 83)).backends("tiny")
    assert [(name, isinstance(answer, Match)) for name, answer, _ in answers] == [
        ("b", True),
        ("a", True),
        ("absent", False),
        ("onnx", False),
    ]
    assert answers[2].reason == "its engine is not installed; pip install engine"
    assert answers[3].reason == "reads onnx, not gguf"


def card(tmp_path, **rest):
    return ModelCard(path=tmp_path, format="safetensors", files=(), size_bytes=1, **rest)


def test_a_model_that_lacks_files(tmp_path):
    lacks = card(tmp_path, missing=("model-00002-of-00002.safetensors",))
    sentence = "'X' is not complete: 'model-00002-of-00002.safetensors' is missing; download it again"
    with pytest.raises(InvalidModelFileError, match=sentence):
        require_usable("X", lacks, settings=Settings())
    many = card(tmp_path, missing=tuple(f"part-{number}" for number in range(9)))
    with pytest.raises(InvalidModelFileError, match=r"'part-0', 'part-1', 'part-2' and 6 more are missing;"):
        require_usable("X", many, settings=Settings())


def test_pickles_only_if_the_settings_allow_them(tmp_path):
    pickles = card(tmp_path, hazards=("pickle",))
    with pytest.raises(
        PermissionDeniedError, match=r"'X' is stored as pickles, which may run code .*allow_pickles = true"
    ):
        require_usable("X", pickles, settings=Settings())
    require_usable("X", pickles, settings=Settings(allow_pickles=True))
    require_usable("X", card(tmp_path, hazards=("remote-code",)), settings=Settings())
