"""What is said of memory, in a request or in uml.toml, and what a plan makes of it."""

from __future__ import annotations

import pytest
from attrs import evolve

from uml_core.errors import InsufficientMemoryError, InvalidOptionsError, SettingsError
from uml_core.planning.exactly import request_of
from uml_core.planning.memory_profile import PROFILES, profile_for
from uml_core.settings import Settings, read_settings
from uml_core.types import Device, LoadRequest

GIB = 2**30
MIB = 2**20


def device(gib, *, unified=False):
    return Device(id="cuda:0", kind="cuda", index=0, name="N", total_bytes=int(gib * GIB), unified=unified)


@pytest.fixture
def zoo(machine):
    return machine.add("middle", machine.sketches["8B"], "Q4_K_M", "Q8_0").add("small", machine.sketches["1B"], "Q8_0")


def told(plan):
    return {one.what: (one.value, one.pinned, one.reason) for one in plan.decisions}


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        ((), "cpu"),
        ((device(4),), "8gb"),
        ((device(8),), "8gb"),
        ((device(11.6),), "16gb"),
        ((device(15.6),), "16gb"),
        ((device(24),), "24gb"),
        ((device(12), device(12)), "24gb"),
        ((device(45),), "48gb"),
        ((device(79.6),), "80gb"),
        ((device(140),), "80gb"),
        ((device(96, unified=True),), "unified"),
        ((device(96, unified=True), device(24)), "24gb"),
    ],
)
def test_the_profile_of_a_machine(devices, name):
    assert profile_for(devices, Settings()).name == name


def test_a_margin_grows_with_the_memory_and_leaves_the_most_of_a_small_one():
    for profile in PROFILES.values():
        margins = [profile.margin_of(mib * MIB) for mib in range(64, 200_000, 64)]
        assert margins == sorted(margins)
        assert all(margin <= round(6.4 * index * MIB) for index, margin in enumerate(margins, 1))
    assert PROFILES["24gb"].margin_of(8 * GIB, display=True) > PROFILES["24gb"].margin_of(8 * GIB) == 512 * MIB


def test_the_profile_that_uml_toml_names(zoo):
    zoo.host("desktop-24gb")
    plan = zoo.planner(memory={"profile": "80gb"}).plan(LoadRequest(model="small"))
    assert (plan.memory.profile, plan.context_length, plan.parallel) == ("80gb", 32768, 4)
    assert told(plan)["profile"] == ("80gb", True, "[memory] of uml.toml names it")


def test_the_memory_table(zoo):
    zoo.host("desktop-24gb")
    said = {"margin_mb": 3000, "cache_type": "q4_0", "parallel": 2}
    plan = zoo.planner(memory=said, context_length=5000).plan(LoadRequest(model="small"))
    assert (plan.context_length, plan.parallel, plan.options["type_k"], plan.options["type_v"]) == (
        5000,
        2,
        "q4_0",
        "q4_0",
    )
    assert {budget.margin_bytes for budget in plan.memory.budgets} == {3000 * MIB}
    decisions = told(plan)
    assert decisions["context_length"] == ("5000", False, "uml.toml aims for it")
    assert decisions["parallel"] == ("2", False, "[memory] of uml.toml aims for it")
    assert decisions["cache_type"] == ("q4_0", False, "[memory] of uml.toml says so")


def test_a_wrong_memory_table(tmp_path, monkeypatch):
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    (tmp_path / "uml.toml").write_text('[memory]\nprofile = "12gb"\n')
    with pytest.raises(SettingsError, match=r"setting 'memory\.profile' is wrong"):
        read_settings()


def test_words_of_the_request_go_before_the_models_own_options(zoo):
    zoo.host("desktop-24gb")
    own = {"options": {"n_gpu_layers": 5, "type_k": "q4_0", "type_v": "q4_0", "seed": 3}, "parallel": 3}
    planner = zoo.planner(models={"small-Q8_0": own})
    plan = planner.plan(LoadRequest(model="small"))
    assert (plan.placement.gpu_layers, plan.placement.cache_type_k, plan.parallel) == (5, "q4_0", 3)
    decisions = told(plan)
    assert decisions["gpu_layers"] == ("5 of 17", True, "uml.toml says so for this model")
    assert decisions["cache_type"][1:] == decisions["seed"][1:] == (True, "uml.toml says so for this model")
    plan = planner.plan(LoadRequest(model="small", device="cuda", cache_type="q8_0", options={"seed": 4}))
    assert (plan.placement.gpu_layers, plan.options["type_k"], plan.options["seed"]) == (17, "q8_0", 4)
    assert told(plan)["seed"] == ("4", True, "asked for")
    plan = planner.plan(LoadRequest(model="small", device="cpu", cache_type="f16"))
    assert (plan.placement.devices, plan.options["n_gpu_layers"], plan.options["type_k"]) == ((), 0, None)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"device": "cuda:7"}, r"^there is no device 'cuda:7' here; there are: cpu, cuda:0, cuda:1$"),
        ({"device": "metal"}, r"^there is no device 'metal' here"),
        (
            {"device": "cpu", "options": {"n_gpu_layers": 3}},
            "^device is 'cpu', but the option 'n_gpu_layers' asks for layers elsewhere; say one of them$",
        ),
        (
            {"options": {"main_gpu": 5}},
            "^the option 'main_gpu' names no device that may be used; there are: cuda:0, cuda:1$",
        ),
        ({"device": "cuda:0", "options": {"tensor_split": [0, 1]}}, "^the option 'tensor_split' names no device that"),
        ({"cache_type": "iq9"}, "^'engine' has no cache of the type 'iq9'; it has f16, q8_0, q4_0$"),
        (
            {"cache_type": "f16", "options": {"type_k": "q4_0"}},
            "^cache_type is 'f16', but an option says 'q4_0'; say one of them$",
        ),
    ],
)
def test_what_can_not_be(zoo, asked, sentence):
    zoo.host("two-unequal-gpus")
    with pytest.raises(InvalidOptionsError, match=sentence):
        zoo.planner().plan(LoadRequest(model="small", **asked))


def test_a_device_that_the_engine_can_not_use(zoo):
    host = zoo.host("desktop-24gb")
    zoo.engine.answer = evolve(zoo.engine.answer, devices=("vulkan",))
    planner = zoo.planner()
    plan = planner.plan(LoadRequest(model="small"))
    why = "NVIDIA GeForce RTX 3090 (cuda:0): 'engine', as its engine is installed, can't use it"
    assert told(plan)["device"] == ("cpu", False, why)
    assert (plan.memory.profile, plan.options["n_gpu_layers"]) == ("cpu", None)
    with pytest.raises(
        InvalidOptionsError, match=r"^the device 'cuda:0' can't be used: 'engine', as its engine is inst"
    ):
        planner.plan(LoadRequest(model="small", device="cuda:0"))
    zoo.engine.answer = evolve(zoo.engine.answer, devices=("cuda",))
    zoo.host(evolve(host, devices=(evolve(host.devices[0], problem="the driver is older than the engine"),)))
    with pytest.raises(
        InvalidOptionsError, match=r"can't be used: the driver is older than the engine; there are: cpu$"
    ):
        zoo.planner().plan(LoadRequest(model="small", device="cuda"))


def test_one_device_of_several_and_all_of_a_kind(zoo):
    zoo.host("two-unequal-gpus")
    planner = zoo.planner()
    one = planner.plan(LoadRequest(model="small", device="cuda:0"))
    assert (one.placement.devices, one.options["main_gpu"], one.options["tensor_split"]) == (("cuda:0",), 0, None)
    said = planner.plan(LoadRequest(model="small", options={"tensor_split": [1, 3]}))
    assert (said.placement.devices, said.placement.split) == (("cuda:0", "cuda:1"), (1.0, 3.0))
    assert told(said)["split"] == ("1 : 3", True, "asked for")
    only = planner.plan(LoadRequest(model="small", options={"main_gpu": 0}))
    assert only.placement.devices == ("cuda:0",)


def test_of_nearly_equal_devices_the_first(zoo):
    host = zoo.host("two-unequal-gpus")
    first, second = (evolve(one, total_bytes=24 * GIB, display=False) for one in host.devices)
    for free in (20_000, 20_001, 20_900):
        devices = (evolve(first, free_bytes=20_000 * MIB), evolve(second, free_bytes=free * MIB))
        zoo.host(evolve(host, devices=devices))
        assert zoo.planner().plan(LoadRequest(model="middle")).placement.devices == ("cuda:0",)
    zoo.host(evolve(host, devices=(evolve(first, free_bytes=16_000 * MIB), evolve(second, free_bytes=20_000 * MIB))))
    assert zoo.planner().plan(LoadRequest(model="middle")).placement.devices == ("cuda:1",)


def test_a_model_of_unknown_dimensions_goes_whole_or_not_at_all(zoo):
    zoo.host("desktop-24gb")
    planner = zoo.planner()
    zoo.cards["small-Q8_0"] = evolve(zoo.cards["small-Q8_0"], shape=None)
    plan = planner.plan(LoadRequest(model="small"))
    assert (plan.placement.devices, plan.options["n_gpu_layers"]) == (("cuda:0",), -1)
    assert planner.plan(request_of(plan)).loads_same(plan)
    zoo.cards["small-Q8_0"] = evolve(zoo.cards["small-Q8_0"], size_bytes=30 * 10**9)
    plan = planner.plan(LoadRequest(model="small"))
    assert (plan.placement.devices, plan.options["n_gpu_layers"]) == ((), 0)


def test_threads(zoo):
    zoo.host("desktop-24gb")
    assert told(zoo.planner(threads=3).plan(LoadRequest(model="small")))["threads"] == ("3", True, "uml.toml says so")
    planner = zoo.planner()
    assert told(planner.plan(LoadRequest(model="small", threads=2)))["threads"] == ("2", True, "asked for")
    assert told(planner.plan(LoadRequest(model="small")))["threads"][:2] == ("7", False)


def test_a_backend_that_answers_one_at_a_time(zoo):
    zoo.host("desktop-24gb")
    zoo.engine.card["parallel"] = 1
    planner = zoo.planner(memory={"profile": "80gb"})
    plan = planner.plan(LoadRequest(model="small"))
    assert told(plan)["parallel"] == ("1", False, "the backend answers no more at once")
    with pytest.raises(
        InvalidOptionsError, match=r"^parallel is 2, but 'engine' answers no more than 1 at once; ask for"
    ):
        planner.plan(LoadRequest(model="small", parallel=2))


def test_a_refusal_has_the_numbers_and_who_holds_the_rest(zoo):
    host = zoo.host("desktop-24gb")
    held = evolve(host.devices[0], free_bytes=3000 * MIB, unseen_bytes=9 * 10**9)
    zoo.host(evolve(host, free_memory_bytes=2000 * MIB, devices=(held,)))
    with pytest.raises(InsufficientMemoryError) as caught:
        zoo.planner().plan(LoadRequest(model="middle-Q8_0", context_length=4096))
    error = caught.value
    assert error.message.startswith("'middle-Q8_0' with 4096 tokens of context needs ")
    assert error.message.endswith("; it would fit with 'middle-Q4_K_M'") or error.plan.memory.would_fit == {}
    memory, *lines = error.detail
    assert memory.startswith("memory: ")
    assert "GB free - " in memory
    assert (
        "NVIDIA GeForce RTX 3090 (cuda:0) is held by: Xorg (pid 1811) 650 MB, 9.0 GB by processes not visible"
        in lines[1]
    )
    assert error.plan.memory.problem == error.message


def test_a_refusal_says_how_many_at_once_and_when_the_margin_takes_all(zoo):
    zoo.host("container-4gb")
    request = LoadRequest(model="middle-Q8_0", context_length=4096, parallel=8)
    with pytest.raises(InsufficientMemoryError, match=r"^'middle-Q8_0' with 4096 tokens of context, 8 at once, needs "):
        zoo.planner().plan(request)
    with pytest.raises(InsufficientMemoryError, match=r" of memory of this container, and none of it can be used; "):
        zoo.planner(memory={"margin_mb": 10**6}).plan(request)


def test_it_is_loaded_all_the_same_where_that_is_forced(zoo):
    zoo.host("container-4gb")
    request = LoadRequest(model="middle-Q8_0", context_length=4096, force=True)
    plan = zoo.planner().plan(request)
    assert plan.memory.forced
    assert not plan.memory.fits
    assert told(plan)["force"][1]
    assert plan.context_length == 4096
    assert not zoo.planner().plan(evolve(request, model="small")).memory.forced


def test_the_best_variant_for_the_machine(zoo):
    planner = zoo.planner()
    zoo.host("laptop-gpu-8gb")
    plan = planner.plan(LoadRequest(model="middle"))
    assert plan.model_id == "middle-Q4_K_M"
    assert told(plan)["model"] == ("middle-Q4_K_M", False, "the best of 2 variants, for this machine")
    zoo.host("desktop-24gb")
    assert planner.plan(LoadRequest(model="middle")).model_id == "middle-Q8_0"
    named = planner.plan(LoadRequest(model="middle-Q4_K_M"))
    assert told(named)["model"] == ("middle-Q4_K_M", True, "asked for")
