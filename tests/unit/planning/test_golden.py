"""Plans for simulated machines, as text that people have looked at: `UML_GOLDEN=write` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from uml_core.errors import UMLError
from uml_core.planning.refusal import refusal
from uml_core.types import LoadRequest, Plan

PLANS = Path(__file__).parents[2] / "data/plans"
HOSTS = ("laptop-8gb", "laptop-gpu-8gb", "container-4gb", "desktop-24gb", "two-unequal-gpus", "unified-128gb")
REQUESTS = {
    "the small model": LoadRequest(model="small"),
    "a model of 8 billion parameters": LoadRequest(model="middle"),
    "the same, with all of its context asked for": LoadRequest(model="middle", context_length=131072),
    "the same, four sequences of 16384 tokens, in 8 bits": LoadRequest(
        model="middle-Q8_0", context_length=16384, parallel=4
    ),
    "the same, on the CPU": LoadRequest(model="middle-Q4_K_M", device="cpu"),
    "a mixture of experts": LoadRequest(model="mixture"),
    "a model of 70 billion parameters": LoadRequest(model="large"),
    "the same, in 4 bits, all layers on devices": LoadRequest(model="large-Q4_K_M", options={"n_gpu_layers": -1}),
}


@pytest.fixture
def zoo(machine):
    from_here = machine.sketches
    machine.add("small", from_here["1B"], "Q8_0", "F16").add("middle", from_here["8B"], "Q2_K", "Q4_K_M", "Q8_0", "F16")
    return machine.add("mixture", from_here["30B-A3B"], "Q4_K_M").add("large", from_here["70B"], "Q2_K", "Q4_K_M")


@pytest.mark.parametrize("name", HOSTS)
def test_plans_of_a_machine(zoo, name):
    zoo.host(name)
    planner = zoo.planner()
    text = "\n\n".join(f"# {what}\n{told(planner, request)}" for what, request in REQUESTS.items()) + "\n"
    file = PLANS / f"{name}.txt"
    if os.environ.get("UML_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


def told(planner, request: LoadRequest) -> str:
    try:
        plan = planner.draft(request)
    except UMLError as error:
        return f"{type(error).__name__}: {error}"
    return "\n".join([*decisions(plan), *memory(plan)])


def decisions(plan: Plan):
    for one in plan.decisions:
        yield f"{one.what:15}{one.value:25} {'said: ' if one.pinned else ''}{one.reason}"
    options = {name: value for name, value in plan.options.items() if value is not None}
    yield f"{'options':15}{options}"


def memory(plan: Plan):
    estimate = plan.memory.estimate
    for budget in plan.memory.budgets:
        parts = ", ".join(f"{part.kind} {part.size_bytes / 1e9:.2f}" for part in estimate.on(budget.device))
        needs = f"{estimate.bytes_on(budget.device) / 1e9:.2f} of {budget.budget_bytes / 1e9:.2f} GB"
        yield f"{budget.device:15}{needs}: {parts or 'nothing'}"
    if plan.memory.problem:
        yield str(refusal(plan))
        yield f"would fit: {plan.memory.would_fit}"
