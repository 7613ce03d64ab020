"""Loads that were measured, and what follows for the next one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from uml_core.planning.learned_memory import device_names, engine_of, how_of, learned
from uml_core.types import BackendInfo, Device, Measurement, MemoryEstimate, MemoryPart, ModelCard, Placement

MB = 1_000_000
NOW = datetime(2026, 11, 22, tzinfo=UTC)
CARD = ModelCard(
    path=Path("/m/a.gguf"), format="gguf", files=(), size_bytes=100 * MB, architecture="llama", quantization="Q4_0"
)
HOW = how_of(4096, 1, Placement())
ROW = Measurement(
    model_id="a",
    backend="b",
    engine="e 1",
    machine="here",
    architecture="llama",
    quantization="Q4_0",
    how=HOW,
    device="cpu",
    kind="compute",
    predicted_bytes=100 * MB,
    measured_bytes=100 * MB,
    used=True,
    measured=NOW,
)


def formula(**sizes):
    return MemoryEstimate(parts=tuple(MemoryPart.exact("cpu", kind, size) for kind, size in sizes.items()))


def learn(estimate, rows, *, how=HOW, devices=None):
    known = {"cpu": "cpu", **(devices or {})}
    return learned(
        estimate, model=CARD, backend="b", engine="e 1", how=how, measurements=rows, devices=known, machine="here"
    )


def rows(*measured, **facts):
    """One load for each size, in MB, the newest first."""
    return [
        evolve(ROW, measured_bytes=size * MB, measured=NOW - timedelta(hours=number), **facts)
        for number, size in enumerate(measured)
    ]


def only(estimate):
    (part,) = estimate.parts
    return part


def test_without_a_measurement_the_estimate_stays_as_it_is():
    estimate = formula(weights=100 * MB, compute=50 * MB)
    assert learn(estimate, []) == (estimate, 0)


def test_one_load_moves_it_half_of_the_way_and_six_all_of_it_with_a_narrower_interval():
    once, count = learn(formula(compute=50 * MB), rows(140))
    assert count == 1
    assert only(once).size_bytes == 60 * MB
    assert only(once).low_bytes <= 50 * MB < 70 * MB <= only(once).high_bytes
    often, count = learn(formula(compute=50 * MB), rows(140, 141, 139, 140, 142, 138))
    assert count == 6
    assert abs(only(often).size_bytes - 70 * MB) <= MB
    assert only(often).source == "measured"
    assert 68 * MB <= only(often).low_bytes < only(often).size_bytes < only(often).high_bytes <= 72 * MB


@pytest.mark.parametrize(
    "numbers",
    [
        {"measured_bytes": -5},
        {"measured_bytes": 2**63 - 1},
        {"predicted_bytes": 2**63 - 1},
        {"kind": "overhead", "measured_bytes": 2**63 - 1},
    ],
)
def test_a_damaged_row_says_nothing(numbers):
    estimate = formula(**{numbers.get("kind", "compute"): 50 * MB})
    assert learn(estimate, [evolve(ROW, **numbers)]) == (estimate, 0)


def test_a_load_out_of_the_ordinary_does_not_move_it():
    usual, _ = learn(formula(compute=50 * MB), rows(100, 101, 100, 102, 100))
    odd, count = learn(formula(compute=50 * MB), rows(900, 100, 101, 100, 102, 100))
    assert count == 6
    assert abs(only(odd).size_bytes - only(usual).size_bytes) <= MB
    assert only(odd).high_bytes < 60 * MB
    few, _ = learn(formula(compute=50 * MB), rows(900, 100))
    assert only(few).size_bytes == 50 * MB
    assert only(few).high_bytes >= 450 * MB


@pytest.mark.parametrize(
    ("facts", "learns"),
    [
        ({"how": HOW}, True),
        ({"how": how_of(512, 4, Placement())}, True),
        ({"how": how_of(4096, 1, Placement(batch=64))}, True),
        ({"quantization": "Q8_0"}, True),
        ({"engine": "e 2"}, False),
        ({"backend": "c"}, False),
        ({"machine": "elsewhere"}, False),
        ({"device": "cuda NVIDIA H200"}, False),
        ({"used": False}, False),
        ({"predicted_bytes": 0}, False),
    ],
)
def test_loads_that_are_less_alike_leave_a_wider_interval_and_others_say_nothing(facts, learns):
    found, count = learn(formula(compute=50 * MB), rows(*[120] * 6, **facts))
    assert count == (6 if learns else 0)
    assert only(found).size_bytes == (60 * MB if learns else 50 * MB)


def test_other_architectures_tell_what_the_engine_takes_beside_the_model():
    found, count = learn(formula(compute=50 * MB), rows(*[120] * 6, architecture="gemma3"))
    assert (only(found).size_bytes, count) == (70 * MB, 6)


def test_what_is_most_alike_decides_and_the_spread_grows_with_the_difference():
    steps = [
        {"how": HOW},
        {"how": how_of(512, 4, Placement())},
        {"how": how_of(4096, 1, Placement(batch=64))},
        {"quantization": "Q8_0"},
    ]
    spreads = []
    for step, facts in enumerate(steps):
        known = [row for other, worse in enumerate(steps[step:]) for row in rows(*[120 + 10 * other] * 6, **worse)]
        part = only(learn(formula(compute=50 * MB), known)[0])
        assert part.size_bytes == 60 * MB, facts
        spreads.append(part.high_bytes - part.low_bytes)
    assert spreads == sorted(set(spreads))


def test_weights_are_learned_from_the_same_architecture_and_quantization_only():
    for facts in ({"architecture": "gemma3"}, {"quantization": "Q8_0"}):
        assert learn(formula(weights=50 * MB), rows(*[120] * 6, kind="weights", **facts))[1] == 0
    found, _ = learn(formula(weights=50 * MB), rows(*[120] * 6, kind="weights"))
    assert only(found).size_bytes == 60 * MB


def test_weights_that_were_not_read_yet_are_needed_all_the_same():
    found, count = learn(formula(weights=50 * MB), rows(*[10] * 6, kind="weights"))
    assert count == 6
    assert only(found).size_bytes == 50 * MB
    assert only(found).low_bytes == 50 * MB


def test_what_grows_with_the_context_grows_by_the_ratio_of_what_was_seen_of_it():
    part = MemoryPart(device="cpu", kind="compute", size_bytes=100 * MB, low_bytes=20 * MB, high_bytes=110 * MB)
    seen = rows(*[26] * 6, predicted_bytes=20 * MB)
    found = only(learn(MemoryEstimate(parts=(part,)), seen)[0])
    assert (found.size_bytes, found.low_bytes, found.high_bytes) == (130 * MB, 26 * MB, 143 * MB)


def test_what_of_the_weights_the_system_may_drop_is_not_learned():
    part = MemoryPart(device="cpu", kind="weights", size_bytes=100 * MB, low_bytes=60 * MB, high_bytes=110 * MB)
    same, more, less = (
        only(learn(MemoryEstimate(parts=(part,)), rows(*[size] * 6, kind="weights"))[0]) for size in (100, 130, 20)
    )
    assert (same.size_bytes, same.low_bytes) == (100 * MB, 60 * MB)
    assert (more.size_bytes, more.low_bytes) == (130 * MB, 90 * MB)
    assert (less.size_bytes, less.low_bytes) == (60 * MB, 60 * MB)


def test_the_overhead_is_what_it_was_whatever_was_loaded():
    known = rows(70, 71, 69, kind="overhead", architecture="gemma3", how="other", predicted_bytes=1)
    found, count = learn(formula(overhead=20 * MB), known)
    assert only(found).size_bytes == 70 * MB
    assert count == 3
    both, count = learn(formula(overhead=20 * MB, compute=50 * MB), [*known, *rows(100)])
    assert both.bytes_of("overhead") == 70 * MB
    assert count == 1, "loads of other models taught the overhead only"


def test_what_a_probe_has_found_stays():
    probed = MemoryEstimate(parts=(MemoryPart.exact("cpu", "compute", 50 * MB, source="probe"),))
    assert learn(probed, rows(*[120] * 6)) == (probed, 0)


def test_devices_of_one_make_are_alike():
    devices = (
        Device(id="cuda:0", kind="cuda", index=0, name="NVIDIA H200"),
        Device(id="cuda:1", kind="cuda", index=1, name="NVIDIA H200"),
    )
    estimate = MemoryEstimate(parts=(MemoryPart.exact("cuda:1", "overhead", 400 * MB),))
    known = rows(500, 500, kind="overhead", device="cuda NVIDIA H200")
    found, _ = learn(estimate, known, devices=device_names(devices))
    assert found.bytes_on("cuda:1") == 500 * MB


def test_the_overhead_on_a_device_is_that_of_the_architecture_else_off_by_as_much():
    devices = {"cuda:0": "cuda NVIDIA H200"}
    estimate = MemoryEstimate(parts=(MemoryPart.exact("cuda:0", "overhead", 730 * MB),))
    facts = {"kind": "overhead", "device": "cuda NVIDIA H200"}
    other = rows(633, architecture="gemma3", predicted_bytes=630 * MB, **facts)
    assert learn(estimate, other, devices=devices)[0].total_bytes == 733 * MB
    both = [*other, *rows(990, predicted_bytes=730 * MB, **facts)]
    assert learn(estimate, both, devices=devices)[0].total_bytes == 990 * MB


def test_two_measurings_of_one_load_at_one_moment_are_one_load():
    known = [*rows(100, 110), *rows(100, 110, kind="kv_cache"), *rows(100, 110, kind="weights")]
    assert learn(formula(compute=MB, kv_cache=MB, weights=MB), known)[1] == 2


def test_what_a_load_depends_on_is_told_and_which_device_it_is_not():
    on = Placement(devices=("cuda:1", "cuda:0"), gpu_layers=9, split=(30.0, 10.0))
    assert how_of(512, 4, on) == "512x4 batch=512 cache=f16/f16 fa=auto mapped on=cuda,cuda layers=9 split=0.75,0.25"
    assert how_of(512, 4, evolve(on, devices=("cuda:0", "cuda:1"))) == how_of(512, 4, on)
    others = [
        {"batch": 64},
        {"cache_type_k": "q8_0"},
        {"cache_type_v": "q8_0"},
        {"flash_attention": True},
        {"mapped": False},
        {"full_window": True},
        {"gpu_layers": 8},
        {"cpu_experts": 1},
        {"split": (1.0, 1.0)},
        {"cache_on_device": False},
        {"devices": ("rocm:0", "rocm:1")},
    ]
    assert len({how_of(512, 4, evolve(on, **other)) for other in others} | {how_of(512, 4, on)}) == len(others) + 1


def test_an_engine_is_told_by_its_version_or_by_what_changes_when_it_is_replaced(tmp_path):
    info = BackendInfo(name="b", formats=(), tasks=(), options=None, engine="attrs")
    assert engine_of(info, {}).startswith("attrs 2")
    assert engine_of(info, {"binary": None}) == engine_of(info, {})
    assert engine_of(evolve(info, engine="no such package"), {}) == "no such package"
    program = tmp_path / "server"
    program.write_bytes(b"one")
    first = engine_of(info, {"binary": str(program)})
    assert first == engine_of(info, {"binary": program}) != engine_of(info, {})
    program.unlink()
    program.write_bytes(b"another")
    assert engine_of(info, {"binary": str(program)}) != first


def test_what_is_installed_into_another_interpreter_makes_it_another_engine(tmp_path):
    interpreter = tmp_path / "bin" / "python"
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    for folder in (interpreter.parent, site):
        folder.mkdir(parents=True)
    interpreter.write_bytes(b"")
    info = BackendInfo(name="b", formats=(), tasks=(), options=None, engine="xyz")
    first = engine_of(info, {"python": str(interpreter)})
    (site / "xyz").mkdir()
    assert engine_of(info, {"python": str(interpreter)}) != first
