"""The engine is asked once, on what was chosen, and its word counts: also when it's late, silent or wrong."""

from __future__ import annotations

import threading

import pytest
from attrs import evolve

from uml_core import hookimpl
from uml_core.errors import InsufficientMemoryError
from uml_core.planning import drafting, probing
from uml_core.planning.exactly import request_of
from uml_core.planning.probing import Probes
from uml_core.types import LoadRequest, MemoryEstimate, MemoryPart

GB = 10**9
MIDDLE = LoadRequest(model="middle-Q4_K_M")


@pytest.fixture
def zoo(machine, monkeypatch):
    """A machine whose engine tells what ``says`` gives for a plan; ``asked`` has the plans that it was asked about."""
    monkeypatch.setattr(drafting, "PROBES", Probes())
    asked = []

    class Asked(type(machine.engine)):
        @hookimpl
        def uml_estimate_memory(self, plan, host):
            asked.append((plan, host))
            return machine.says(plan)

    own = machine.engine
    machine.engine = Asked(own.name, own.answer, **own.card)
    machine.asked, machine.says = asked, lambda plan: None
    return machine.add("middle", machine.sketches["8B"], "Q4_K_M")


def compute(size_bytes, device="cpu"):
    return MemoryEstimate(parts=(MemoryPart.exact(device, "compute", size_bytes, source="probe"),))


def test_what_the_engine_says_takes_the_place_of_the_formula(zoo):
    host = zoo.host("desktop-24gb")
    zoo.says = lambda plan: compute(123456789, "cuda:0")
    plan = zoo.planner().draft(MIDDLE, thorough=True)
    [(shown, at)] = zoo.asked
    assert (shown.context_length, shown.placement.gpu_layers, at) == (plan.context_length, 33, host)
    assert shown.memory.estimate == plan.memory.formula
    parts = {(part.device, part.kind): part for part in plan.memory.estimate.parts}
    formula = {(part.device, part.kind): part for part in plan.memory.formula.parts}
    assert parts.pop(("cuda:0", "compute")).size_bytes == 123456789
    assert formula.pop(("cuda:0", "compute")).source == "header"
    assert parts == formula


def test_what_only_the_first_batch_takes_is_added_to_what_the_engine_sees_of_the_machine(zoo):
    zoo.host("desktop-24gb")
    zoo.says = lambda plan: compute(100_000_000)
    plan = zoo.planner().draft(MIDDLE, thorough=True)
    assert plan.placement.devices == ("cuda:0",)
    (part,) = (part for part in plan.memory.estimate.on("cpu") if part.kind == "compute")
    assert part.size_bytes > 100_000_000 + 20_000_000, "CUDA's libraries are missing"
    zoo.host("laptop-8gb")
    plan = zoo.planner().draft(MIDDLE, thorough=True)
    (part,) = (part for part in plan.memory.estimate.on("cpu") if part.kind == "compute")
    assert part.size_bytes == pytest.approx(100_000_000, abs=5_000_000)


def test_it_is_asked_where_it_gets_tight_else_only_for_what_is_shown(zoo):
    zoo.host("unified-128gb")
    planner = zoo.planner()
    planner.plan(MIDDLE)
    assert not zoo.asked
    planner.draft(MIDDLE, thorough=True)
    assert len(zoo.asked) == 1
    zoo.host("laptop-gpu-8gb")
    planner.plan(MIDDLE)
    assert len(zoo.asked) == 2


def test_one_question_for_one_plan(zoo):
    zoo.host("desktop-24gb")
    zoo.says = lambda plan: compute(50_000_000)
    planner = zoo.planner()
    shown = [planner.draft(MIDDLE, thorough=True) for _ in range(3)]
    assert len(zoo.asked) == 1
    assert planner.plan(MIDDLE).memory.estimate == shown[0].memory.estimate == shown[2].memory.estimate
    planner.draft(evolve(MIDDLE, context_length=1024), thorough=True)
    assert len(zoo.asked) == 2
    zoo.planner(memory={"probe": False}).draft(evolve(MIDDLE, context_length=2048), thorough=True)
    assert len(zoo.asked) == 2


def test_a_step_down_where_the_engine_needs_more_and_it_is_not_asked_again(zoo):
    zoo.host("laptop-gpu-8gb")
    plain = zoo.planner(memory={"probe": False}).plan(MIDDLE)
    zoo.says = lambda plan: compute(3 * GB, "cuda:0")
    plan = zoo.planner().plan(MIDDLE)
    assert len(zoo.asked) == 1
    assert zoo.asked[0][0].loads_same(plain)
    assert plain.placement.gpu_layers == 33
    assert plan.placement.gpu_layers < 33 or plan.context_length < plain.context_length
    (budget,) = (one for one in plan.memory.budgets if one.device == "cuda:0")
    more = 3 * GB - plain.memory.estimate.on("cuda:0")[-1].size_bytes
    there = plan.memory.estimate.bytes_on("cuda:0")
    assert plan.memory.formula.bytes_on("cuda:0") + more // 2 < there <= budget.budget_bytes


def test_what_was_said_is_not_changed_for_the_engine_either(zoo):
    zoo.host("laptop-8gb", free_memory_bytes=8 * GB)
    zoo.says = lambda plan: compute(4 * GB)
    said = evolve(MIDDLE, context_length=4096, cache_type="f16")
    with pytest.raises(InsufficientMemoryError, match=r"with 4096 tokens of context needs \d\.\d GB of memory, and 7"):
        zoo.planner().plan(said)
    assert len(zoo.asked) == 1


def test_what_would_fit_is_what_fits_as_the_engine_sees_it(zoo):
    zoo.host("laptop-8gb", free_memory_bytes=8 * GB)
    said = evolve(MIDDLE, context_length=16384, cache_type="f16")
    by_formula = zoo.planner(memory={"probe": False}).draft(evolve(said, context_length=32768)).memory.would_fit
    zoo.says = lambda plan: compute(1_500_000_000)
    memory = zoo.planner().draft(said).memory
    assert by_formula["context_length"] > memory.would_fit["context_length"] > 512


def test_the_engine_may_know_that_it_takes_less(zoo):
    zoo.host("laptop-8gb", free_memory_bytes=6_075_000_000)
    planner = zoo.planner()
    said = evolve(MIDDLE, context_length=4096, cache_type="f16")
    assert planner.draft(said).memory.problem
    assert len(zoo.asked) == 1
    zoo.says = lambda plan: compute(20_000_000)
    more = planner.plan(evolve(said, context_length=4097))
    assert more.memory.fits
    open_plan = planner.plan(MIDDLE)
    unasked = zoo.planner(memory={"probe": False}).plan(MIDDLE)
    assert open_plan.context_length > unasked.context_length
    assert planner.plan(request_of(open_plan)).loads_same(open_plan)


def test_what_can_not_fit_is_not_asked_about(zoo):
    zoo.host("container-4gb")
    with pytest.raises(InsufficientMemoryError):
        zoo.planner().plan(MIDDLE)
    zoo.planner().draft(MIDDLE, thorough=True)
    assert not zoo.asked


@pytest.mark.parametrize("wrong", [lambda: 7, lambda: 1 / 0, lambda: exec("raise SystemExit(3)")])
def test_an_answer_that_is_none_leaves_the_formula(zoo, caplog, wrong):
    zoo.host("desktop-24gb")
    zoo.says = lambda plan: wrong()
    plan = zoo.planner().draft(MIDDLE, thorough=True)
    assert plan.memory.estimate == plan.memory.formula
    assert "backend 'engine'" in caplog.text


def test_an_engine_that_never_answers_is_left_behind(zoo, monkeypatch, caplog):
    monkeypatch.setattr(probing, "PROBE_S", 0.2)
    zoo.host("desktop-24gb")
    held = threading.Event()
    zoo.says = lambda plan: held.wait(60)
    plan = zoo.planner().draft(MIDDLE, thorough=True)
    held.set()
    assert plan.memory.fits
    assert "did not say within 0.2 seconds what memory the load takes" in caplog.text
