from __future__ import annotations

import psutil
import pytest

from uml_core.host.devices.metal import detect, working_set

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "wired", "limit"),
    [(8, 0, 8 * 2 / 3), (36, 0, 24), (64, 0, 48), (128, 0, 96), (64, 60, 60), (64, 100, 64)],
)
def test_how_much_it_may_hold(memory, wired, limit):
    assert working_set(memory * GIB, wired * GIB) == int(limit * GIB)


def test_a_mac():
    facts = {"hw.memsize": str(8 << 50), "iogpu.wired_limit_mb": "0", "machdep.cpu.brand_string": "Apple M3 Max"}
    device = detect(lambda name: facts[name])
    assert (device.id, device.kind, device.name, device.unified) == ("metal:0", "metal", "Apple M3 Max", True)
    assert device.total_bytes == 6 << 50
    assert 0 < device.free_bytes <= psutil.virtual_memory().total, "what is taken from one is gone from the other"


def test_a_limit_of_the_user():
    facts = {"hw.memsize": str(64 * GIB), "iogpu.wired_limit_mb": "1024"}
    device = detect(lambda name: facts.get(name, ""))
    assert (device.total_bytes, device.name) == (GIB, "Apple GPU")
    assert device.free_bytes <= GIB
