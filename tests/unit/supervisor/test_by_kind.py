"""From sums to kinds of memory."""

import pytest

from uml_core.host.mappings import MappedMemory
from uml_core.supervisor.by_kind import Seen, by_kind
from uml_core.types import MemoryEstimate, MemoryPart

MB = 1_000_000


def predicted(**sizes):
    """``cpu_weights=1``: in MB."""
    named = ((*name.partition("_")[::2], size) for name, size in sizes.items())
    return MemoryEstimate(parts=tuple(MemoryPart.exact(device, kind, size * MB) for device, kind, size in named))


FORMULA = predicted(cpu_weights=100, cpu_kv_cache=50, cpu_compute=20, cpu_overhead=60)


def memory(*, files=0, mapped=None, private=0):
    whole = files if mapped is None else mapped
    return MappedMemory(files_bytes=files * MB, mapped_bytes=whole * MB, private_bytes=private * MB)


def sorted_out(seen, formula=FORMULA):
    """Sizes in MB by device and kind, and which of them were measured."""
    found = by_kind(seen, formula)
    assert all(part.source == "measured" for part, _ in found)
    sizes = {(part.device, part.kind): part.size_bytes // MB for part, _ in found}
    return sizes, {key for key, (_, known) in zip(sizes, found, strict=True) if known}


def cpu(weights, cache, compute, overhead):
    kinds = {"weights": weights, "kv_cache": cache, "compute": compute, "overhead": overhead}
    return {("cpu", kind): size for kind, size in kinds.items()}


def told(**sizes):
    named = ((*name.partition("_")[::2], size) for name, size in sizes.items())
    return {(device, kind): size * MB for device, kind, size in named}


def test_mapped_weights_are_their_pages_and_what_grew_beyond_the_cache_is_compute():
    sizes, known = sorted_out(Seen(memory=memory(files=100, private=110), overhead_bytes=30 * MB))
    assert sizes == cpu(100, 50, 30, 30)
    assert known == {("cpu", "weights"), ("cpu", "compute"), ("cpu", "overhead")}, "nobody told of the cache"


def test_the_sum_is_what_was_seen_whatever_is_told():
    seen = memory(files=90, mapped=100, private=170)
    for said in ({}, told(cpu_kv_cache=40), told(cpu_weights=120), told(cpu_overhead=20), told(cpu_compute=999)):
        sizes, _ = sorted_out(Seen(memory=seen, told=said))
        assert sum(sizes.values()) == 260, said


def test_what_the_log_tells_goes_before_what_was_predicted():
    sizes, known = sorted_out(Seen(memory=memory(files=100, private=110), told=told(cpu_kv_cache=40, cpu_overhead=10)))
    assert sizes == cpu(100, 40, 60, 10)
    assert known == set(sizes)


def test_weights_that_are_arranged_anew_lie_in_memory_beside_their_mapping():
    seen = Seen(memory=memory(files=100, private=200), overhead_bytes=30 * MB, told=told(cpu_weights=190))
    sizes, known = sorted_out(seen)
    assert sizes == cpu(190, 50, 30, 30)
    assert ("cpu", "weights") in known
    untold = predicted(cpu_weights=190, cpu_kv_cache=50, cpu_compute=20)
    sizes, known = sorted_out(Seen(memory=memory(files=100, private=200), overhead_bytes=30 * MB), untold)
    assert sizes == cpu(190, 50, 30, 30)
    assert ("cpu", "weights") not in known


def test_weights_that_are_read_are_as_predicted_unless_the_log_tells():
    sizes, known = sorted_out(Seen(memory=memory(private=210), overhead_bytes=30 * MB))
    assert sizes == cpu(100, 50, 30, 30)
    assert ("cpu", "weights") not in known
    sizes, known = sorted_out(Seen(memory=memory(private=210), overhead_bytes=30 * MB, told=told(cpu_weights=110)))
    assert sizes == cpu(110, 50, 20, 30)
    assert ("cpu", "weights") in known


def test_a_cache_that_has_not_grown_yet_tells_nothing():
    sizes, known = sorted_out(Seen(memory=memory(files=100, private=60), overhead_bytes=30 * MB))
    assert sizes == {("cpu", "weights"): 100, ("cpu", "kv_cache"): 30, ("cpu", "overhead"): 30}
    assert known == {("cpu", "weights"), ("cpu", "overhead")}


def test_an_overhead_that_nobody_noted_is_as_predicted():
    sizes, known = sorted_out(Seen(memory=memory(files=100, private=140)))
    assert sizes == cpu(100, 50, 30, 60)
    assert ("cpu", "overhead") not in known


def test_on_a_device_that_the_log_tells_of_the_rest_is_the_drivers():
    formula = predicted(**{"cuda:0_weights": 100, "cuda:0_kv_cache": 50, "cuda:0_compute": 20, "cuda:0_overhead": 500})
    said = told(**{"cuda:0_weights": 99, "cuda:0_kv_cache": 50, "cuda:0_compute": 30})
    sizes, known = sorted_out(Seen(memory=memory(), told=said, on_devices={"cuda:0": 600 * MB}), formula)
    assert {kind: size for (device, kind), size in sizes.items() if device == "cuda:0"} == {
        "weights": 99,
        "kv_cache": 50,
        "compute": 30,
        "overhead": 421,
    }
    assert {key for key in known if key[0] == "cuda:0"} == {key for key in sizes if key[0] == "cuda:0"}


def test_on_a_device_of_which_only_the_sum_is_known_the_rest_is_compute():
    formula = predicted(**{"cuda:0_weights": 100, "cuda:0_kv_cache": 50, "cuda:0_compute": 20, "cuda:0_overhead": 500})
    sizes, known = sorted_out(Seen(memory=memory(), on_devices={"cuda:0": 700 * MB}), formula)
    assert sizes["cuda:0", "compute"] == 50
    assert {key for key in known if key[0] == "cuda:0"} == {("cuda:0", "compute")}
    _, known = sorted_out(Seen(memory=memory(), on_devices={"cuda:0": 300 * MB}), formula)
    assert not {key for key in known if key[0] == "cuda:0"}


@pytest.mark.parametrize("said", [{}, {"cuda:1_weights": 7}])
def test_a_device_that_nothing_was_planned_for_is_seen(said):
    seen = Seen(memory=memory(), told=told(**said), on_devices={"cuda:1": 9 * MB})
    sizes, _ = sorted_out(seen, MemoryEstimate())
    assert sum(size for (device, _), size in sizes.items() if device == "cuda:1") == 9
