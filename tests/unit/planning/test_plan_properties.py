"""What holds for every plan, on whatever machine, of whatever model, whatever was said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uml_core.planning.exactly import request_of
from uml_core.planning.nearest import followed
from uml_core.planning.quality import quality
from uml_core.planning.setting import Step, Tier
from uml_core.types import Device, HostInfo, LoadRequest

GB = 10**9
NAMES = ("small", "middle", "large", "mixture", "small-F16", "middle-Q8_0", "large-Q4_K_M", "mixture-Q4_K_M")
BITS = {"f16": 16, "q8_0": 8, "q4_0": 4}
thoroughly = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@st.composite
def devices(draw, unified):
    if unified:
        total = draw(st.integers(4, 190)) * GB
        return (
            Device(
                id="metal:0",
                kind="metal",
                index=0,
                name="M",
                uuid="m",
                total_bytes=total,
                free_bytes=total,
                unified=True,
            ),
        )
    found = []
    for index in range(draw(st.integers(0, 4))):
        total = draw(st.integers(1000, 96_000)) * 10**6
        free, display = total * draw(st.integers(5, 100)) // 100, draw(st.booleans())
        device = Device(
            id=f"cuda:{index}", kind="cuda", index=index, name="N", uuid=f"u{index}", total_bytes=total, free_bytes=free
        )
        found.append(evolve(device, display=display))
    return tuple(found)


@st.composite
def hosts(draw):
    total = draw(st.integers(1000, 256_000)) * 10**6
    free, unified = total * draw(st.integers(20, 100)) // 100, draw(st.integers(0, 4)) == 0
    return HostInfo(
        platform="linux",
        physical_cores=4,
        logical_cores=8,
        memory_bytes=total,
        free_memory_bytes=free,
        devices=draw(devices(unified)),
    )


@st.composite
def requests(draw):
    options = {
        "n_gpu_layers": draw(st.sampled_from([None, None, None, -1, 0, 7, 20])),
        "n_cpu_moe": draw(st.sampled_from([None, None, None, 0, 10])),
        "n_ubatch": draw(st.sampled_from([None, None, 2048])),
        "flash_attn": draw(st.sampled_from([None, None, False])),
        "type_k": draw(st.sampled_from([None, None, None, "q4_0"])),
    }
    return LoadRequest(
        model=draw(st.sampled_from(NAMES)),
        context_length=draw(st.sampled_from([None, None, 100, 2048, 5000, 32768])),
        parallel=draw(st.sampled_from([None, None, 1, 3, 8])),
        cache_type=draw(st.sampled_from([None, None, "f16", "q8_0"])) if options["type_k"] is None else None,
        device=None if options["n_gpu_layers"] else draw(st.sampled_from([None, None, None, "cpu"])),
        options={name: value for name, value in options.items() if value is not None},
    )


@pytest.fixture
def zoo(machine):
    sketches = machine.sketches
    machine.add("small", sketches["1B"], "Q8_0", "F16").add("middle", sketches["8B"], "Q2_K", "Q4_K_M", "Q8_0", "F16")
    machine.add("mixture", sketches["30B-A3B"], "Q2_K", "Q4_K_M").add("large", sketches["70B"], "Q2_K", "Q4_K_M")
    planner = machine.planner()

    def plan(host, request, **rest):
        machine.host(host)
        return planner.draft(request, **rest)

    return SimpleNamespace(plan=plan, planner=planner)


def needs(plan, device):
    """What has to lie there, counted anew."""
    shared = {one.device for one in plan.memory.budgets if one.unified} if device == "cpu" else set()
    return sum(
        part.low_bytes if (part.device, part.kind) == ("cpu", "weights") else part.size_bytes
        for part in plan.memory.estimate.parts
        if part.device in {device, *shared}
    )


def goodness(plan):
    """What more memory must never make less."""
    if plan.memory.problem:
        return ()
    place, blocks = plan.placement, len(plan.model.shape.layers)
    tier = Step(gpu_layers=place.gpu_layers, cpu_experts=place.cpu_experts).tier(blocks)
    tokens, cache = plan.context_length, BITS[place.cache_type_k] + BITS[place.cache_type_v]
    layers = place.gpu_layers if tier is not Tier.ALL else 0
    return (tokens >= 4096, tier, min(tokens, 8192), quality(plan.model), tokens, cache, plan.parallel, layers)


@thoroughly
@given(host=hosts(), request=requests(), freed=st.sampled_from([{}, {"cpu": 5 * GB}, {"u0": 9 * GB, "cpu": GB}]))
def test_a_plan_never_takes_more_than_there_is(zoo, host, request, freed):
    plan = zoo.plan(host, request, freed=freed)
    over = [budget.device for budget in plan.memory.budgets if needs(plan, budget.device) > budget.budget_bytes]
    assert bool(over) == bool(plan.memory.problem)
    known = {budget.device for budget in plan.memory.budgets}
    assert {part.device for part in plan.memory.estimate.parts if part.size_bytes} <= known
    for budget in plan.memory.budgets:
        assert 0 <= budget.budget_bytes <= budget.total_bytes - budget.margin_bytes or budget.budget_bytes == 0


@thoroughly
@given(host=hosts(), request=requests())
def test_what_was_said_is_never_changed(zoo, host, request):
    plan = zoo.plan(host, request)
    if request.context_length is not None:
        assert plan.context_length == request.context_length
    if request.parallel is not None:
        assert plan.parallel == request.parallel
    if request.cache_type is not None:
        assert plan.placement.cache_type_k == plan.placement.cache_type_v == request.cache_type
    if request.device == "cpu":
        assert plan.placement.devices == ()
        assert plan.options["n_gpu_layers"] in (None, 0)
    for name, value in request.options.items():
        assert plan.options[name] == value
    told = {one.what: one for one in plan.decisions}
    assert told["context_length"].pinned == (request.context_length is not None)
    assert all(one.reason for one in plan.decisions)


@thoroughly
@given(host=hosts(), request=requests())
def test_a_plan_hangs_together(zoo, host, request):
    plan = zoo.plan(host, request)
    place, blocks = plan.placement, len(plan.model.shape.layers)
    assert bool(place.devices) == bool(place.gpu_layers)
    assert 0 <= place.gpu_layers <= blocks + 1
    assert not place.split or (len(place.split) == len(place.devices) > 1 and sum(place.split) == place.gpu_layers)
    assert set(place.devices) <= {device.id for device in host.devices}
    assert plan.context_length <= plan.model.context_length
    if place.devices and "n_gpu_layers" not in request.options:
        assert plan.options["n_gpu_layers"] == place.gpu_layers
    if len(place.devices) == 1 < len(host.devices):
        assert plan.options["main_gpu"] == int(place.devices[0].partition(":")[2])
    if place.split:
        used = {f"cuda:{index}" for index, share in enumerate(plan.options["tensor_split"]) if share}
        assert used <= set(place.devices)


@thoroughly
@given(host=hosts(), request=requests(), more=st.integers(1, 30_000), where=st.integers(0, 4))
@example(
    host=HostInfo(platform="linux", physical_cores=1, logical_cores=1, memory_bytes=4 * GB, free_memory_bytes=4 * GB),
    request=LoadRequest(model="middle"),
    more=1000,
    where=0,
)
def test_more_memory_never_makes_a_plan_worse(zoo, host, request, more, where):
    plan, extra = zoo.plan(host, request), more * 10**6
    larger = evolve(host, memory_bytes=host.memory_bytes + extra, free_memory_bytes=host.free_memory_bytes + extra)
    if where and where <= len(host.devices):
        grown = [
            evolve(one, total_bytes=one.total_bytes + extra, free_bytes=one.free_bytes + extra)
            if index == where - 1
            else one
            for index, one in enumerate(host.devices)
        ]
        larger = evolve(larger if grown[0].unified else host, devices=tuple(grown))
    assert goodness(zoo.plan(larger, request)) >= goodness(plan)


@thoroughly
@given(host=hosts(), request=requests())
def test_what_is_said_to_fit_does(zoo, host, request):
    plan = zoo.plan(host, request)
    if plan.memory.would_fit:
        assert plan.memory.problem
        assert not zoo.plan(host, followed(request, plan.memory.would_fit)).memory.problem


@thoroughly
@given(host=hosts(), request=requests())
def test_a_plan_asked_for_exactly_is_the_same_plan(zoo, host, request):
    plan = zoo.plan(host, request)
    if plan.memory.problem:
        return
    again = zoo.plan(host, request_of(plan))
    assert again.loads_same(plan)
    assert again.placement == plan.placement
    assert again.memory.estimate == plan.memory.estimate
    assert not again.memory.problem


@thoroughly
@given(host=hosts(), request=requests(), less=st.integers(5, 95))
def test_with_less_memory_it_is_refused_and_never_another_one(zoo, host, request, less):
    plan = zoo.plan(host, request)
    if plan.memory.problem:
        return
    smaller = evolve(
        host,
        free_memory_bytes=host.free_memory_bytes * less // 100,
        devices=tuple(evolve(one, free_bytes=one.free_bytes * less // 100) for one in host.devices),
    )
    again = zoo.plan(smaller, request_of(plan))
    assert again.memory.problem or (again.loads_same(plan) and again.placement == plan.placement)
