"""What of a plan is told over HTTP, and what of it stays on this machine."""

import json
from pathlib import Path

import pytest
from attrs import evolve

from uml_core.errors import InsufficientMemoryError
from uml_core.server.plan_view import load_body, memory_view, parts_view, plan_view
from uml_core.supervisor.memory_view import brief
from uml_core.supervisor.views import cause_view
from uml_core.types import (
    Budget,
    Decision,
    Holder,
    LoadRequest,
    MemoryEstimate,
    MemoryPart,
    MemoryPlan,
    ModelSource,
    Placement,
    Plan,
)

MB = 10**6
REQUEST = LoadRequest(model="org/model:Q4_0", context_length=4096, options={"n_gpu_layers": 3})


def part(device, kind, size, spread=0, **rest):
    return MemoryPart(
        device=device, kind=kind, size_bytes=size, low_bytes=size - spread, high_bytes=size + spread, **rest
    )


@pytest.fixture
def memory():
    parts = (
        part("cuda:0", "weights", 300 * MB),
        part("cuda:0", "kv_cache", 80 * MB, 20 * MB, source="probe"),
        part("cpu", "overhead", 50 * MB, 5 * MB, source="measured"),
    )
    there = Budget(
        device="cuda:0",
        name="A GPU",
        total_bytes=1000 * MB,
        free_bytes=500 * MB,
        freed_bytes=200 * MB,
        margin_bytes=100 * MB,
        holders=(Holder(pid=7, name="game", held_bytes=250 * MB),),
        unseen_bytes=50 * MB,
    )
    machine = Budget(device="cpu", name="memory", total_bytes=8000 * MB, free_bytes=4000 * MB)
    return MemoryPlan(profile="8gb", loads=3, estimate=MemoryEstimate(parts=parts), budgets=(machine, there))


@pytest.fixture
def plan(memory):
    return Plan(
        model_id="org/model:Q4_0",
        model=ModelSource(path=Path("/home/me/secret.gguf"), format="gguf", files=(), size_bytes=1),
        backend="fake",
        tasks=("text-generation",),
        context_length=4096,
        options={"n_gpu_layers": 3, "seed": None},
        settings={"binary": "/opt/secret/server"},
        reason="made for it",
        rejected={"other": "it isn't installed"},
        placement=Placement(devices=("cuda:0",), gpu_layers=3),
        decisions=(Decision(what="gpu_layers", value="3", reason="all have room"),),
        memory=memory,
    )


def test_the_whole_plan_is_plain_json_and_tells_no_path(plan):
    view = plan_view(plan, REQUEST)
    assert "secret" not in json.dumps(view)
    assert (view["model"], view["backend"], view["context_length"]) == ("org/model:Q4_0", "fake", 4096)
    assert (view["placement"]["devices"], view["placement"]["gpu_layers"]) == (("cuda:0",), 3)
    assert (view["fits"], view["problem"], view["would_fit"], view["forced"]) == (True, None, {}, False)
    assert view["options"] == {"n_gpu_layers": 3}
    assert view["decisions"] == [{"what": "gpu_layers", "value": "3", "reason": "all have room", "pinned": False}]
    assert view["rejected"] == {"other": "it isn't installed"}
    assert view["load"] == {"model": "org/model:Q4_0", "context_length": 4096, "options": {"n_gpu_layers": 3}}


def test_each_device_has_what_is_needed_and_what_there_is(memory):
    view = memory_view(memory)
    assert (view["needs_bytes"], view["low_bytes"], view["high_bytes"]) == (430 * MB, 405 * MB, 455 * MB)
    machine, gpu = view["devices"]
    assert (machine["device"], machine["needs_bytes"], machine["budget_bytes"]) == ("cpu", 50 * MB, 4000 * MB)
    assert gpu == {
        "device": "cuda:0",
        "name": "A GPU",
        "unified": False,
        "needs_bytes": 380 * MB,
        "shared_bytes": 0,
        "low_bytes": 360 * MB,
        "high_bytes": 400 * MB,
        "parts": [
            {
                "kind": "weights",
                "size_bytes": 300 * MB,
                "low_bytes": 300 * MB,
                "high_bytes": 300 * MB,
                "source": "header",
            },
            {
                "kind": "kv_cache",
                "size_bytes": 80 * MB,
                "low_bytes": 60 * MB,
                "high_bytes": 100 * MB,
                "source": "probe",
            },
        ],
        "budget_bytes": 600 * MB,
        "missing_bytes": 0,
        "total_bytes": 1000 * MB,
        "free_bytes": 500 * MB,
        "freed_bytes": 200 * MB,
        "margin_bytes": 100 * MB,
        "holders": [{"pid": 7, "name": "game", "held_bytes": 250 * MB}],
        "unseen_bytes": 50 * MB,
    }


def test_what_shares_the_machines_memory_counts_there_too(memory):
    machine, gpu = memory.budgets
    view = memory_view(evolve(memory, budgets=(machine, evolve(gpu, unified=True))))
    assert [(one["unified"], one["needs_bytes"], one["shared_bytes"]) for one in view["devices"]] == [
        (False, 50 * MB, 380 * MB),
        (True, 380 * MB, 0),
    ]


def test_what_is_missing_is_what_the_planner_misses(memory):
    machine, gpu = memory.budgets
    tight = evolve(memory, budgets=(evolve(machine, free_bytes=20 * MB), evolve(gpu, freed_bytes=0)))
    assert [one["missing_bytes"] for one in memory_view(tight)["devices"]] == [30 * MB, 0]
    tight = evolve(memory, budgets=(machine, evolve(gpu, freed_bytes=0, free_bytes=400 * MB)))
    assert [one["missing_bytes"] for one in memory_view(tight)["devices"]] == [0, 80 * MB]


def test_what_lies_where_nobody_knows_what_there_is_is_told_too(memory):
    _, gpu = memory_view(evolve(memory, budgets=memory.budgets[:1]))["devices"]
    assert (gpu["device"], gpu["needs_bytes"]) == ("cuda:0", 380 * MB)
    assert "budget_bytes" not in gpu
    assert brief(evolve(memory, budgets=()))["devices"][1] == {
        "device": "cuda:0",
        "name": "cuda:0",
        "needs_bytes": 380 * MB,
        "budget_bytes": None,
    }


def test_a_plan_that_does_not_fit_says_why_and_what_would(plan, memory):
    tight = evolve(plan, memory=evolve(memory, problem="it's too much", would_fit={"context_length": 512}))
    view = plan_view(tight, REQUEST)
    assert (view["fits"], view["problem"], view["would_fit"]) == (False, "it's too much", {"context_length": 512})
    error = InsufficientMemoryError("it's too much")
    assert cause_view(error)["memory"] is None
    error.plan = tight
    told = cause_view(error)["memory"]
    assert (told["fits"], told["would_fit"], told["needs_bytes"]) == (False, {"context_length": 512}, 430 * MB)


def test_a_plan_without_numbers(plan):
    view = plan_view(evolve(plan, memory=None), REQUEST)
    assert (view["fits"], view["memory"], view["would_fit"]) == (True, None, {})


def test_what_was_measured_stands_beside_what_was_planned(memory):
    unmeasured = parts_view(memory, ())
    assert unmeasured["measured_bytes"] is None
    assert {one["measured_bytes"] for one in unmeasured["parts"]} == {None}
    measured = (part("cuda:0", "weights", 310 * MB), part("cpu", "compute", 9 * MB))
    view = parts_view(memory, measured)
    assert (view["needs_bytes"], view["measured_bytes"], view["loads"]) == (430 * MB, 319 * MB, 3)
    found = {(one["device"], one["kind"]): (one["size_bytes"], one["measured_bytes"]) for one in view["parts"]}
    assert found == {
        ("cuda:0", "weights"): (300 * MB, 310 * MB),
        ("cuda:0", "kv_cache"): (80 * MB, None),
        ("cpu", "overhead"): (50 * MB, None),
        ("cpu", "compute"): (None, 9 * MB),
    }


def test_the_body_of_a_load_has_what_was_said_and_nothing_else():
    assert load_body(LoadRequest(model="m")) == {"model": "m"}
    whole = LoadRequest(
        model="m",
        backend="b",
        context_length=1,
        parallel=2,
        threads=3,
        spin=False,
        device="cuda:1",
        cache_type="q8_0",
        force=True,
        options={"x": None},
    )
    assert load_body(whole) == {
        "model": "m",
        "backend": "b",
        "context_length": 1,
        "parallel": 2,
        "threads": 3,
        "spin": False,
        "device": "cuda:1",
        "cache_type": "q8_0",
        "force": True,
        "options": {"x": None},
    }
