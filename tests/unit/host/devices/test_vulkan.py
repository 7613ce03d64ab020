from __future__ import annotations

import ctypes

import pytest
from attrs import evolve

from uml_core.host.devices import vulkan_library as library
from uml_core.host.devices.vulkan import accelerators
from uml_core.host.devices.vulkan_device import CPU, DISCRETE, INTEGRATED, VulkanDevice

GIB = 1 << 30
ARC = VulkanDevice(
    name="Intel(R) Arc(tm) A770", type=DISCRETE, uuid="8680" * 8, bus="0000:03:00.0", api="1.3.274",
    driver="Intel open-source Mesa driver Mesa 24.0.5", total_bytes=16 * GIB, free_bytes=14 * GIB,
)  # fmt: skip
IRIS = evolve(ARC, name="Iris Xe", type=INTEGRATED, uuid="0001" * 8, bus="0000:00:02.0", total_bytes=12 * GIB)
LAVAPIPE = evolve(ARC, name="llvmpipe (LLVM 15.0.6)", type=CPU, uuid="6d65" * 8, bus=None, free_bytes=None)


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("GGML_VK_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("uml_core.host.devices.vulkan.measure_memory", lambda limits: (16 * GIB, 5 * GIB))


def test_a_card_and_a_processor_with_graphics():
    card, shared = accelerators([ARC, IRIS])
    assert (card.id, card.kind, card.name, card.bus, card.runtime) == ("vulkan:0", "vulkan", ARC.name, ARC.bus, ARC.api)
    assert (card.total_bytes, card.free_bytes, card.unified, card.unseen_bytes) == (16 * GIB, 14 * GIB, False, 2 * GIB)
    assert (shared.id, shared.unified, shared.unseen_bytes) == ("vulkan:1", True, 0)
    assert shared.free_bytes == 5 * GIB, "no more than the machine has"


def test_a_processor_in_disguise_is_none():
    assert accelerators([LAVAPIPE]) == []
    assert [device.id for device in accelerators([LAVAPIPE, ARC])] == ["vulkan:0"]


def test_one_card_of_two_drivers_is_one():
    assert [device.driver for device in accelerators([ARC, evolve(ARC, driver="AMDVLK"), IRIS])] == [ARC.driver] * 2


def test_a_driver_that_does_not_tell_what_is_free():
    assert accelerators([evolve(ARC, free_bytes=None)])[0].free_bytes == 16 * GIB


@pytest.mark.parametrize(("said", "names"), [("1", ["Iris Xe"]), ("1,0", ["Iris Xe", ARC.name]), ("", [])])
def test_what_the_variable_leaves(monkeypatch, said, names):
    monkeypatch.setenv("GGML_VK_VISIBLE_DEVICES", said)
    assert [device.name for device in accelerators([ARC, IRIS])] == names


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="sizes are those of 64-bit machines")
def test_the_structures_are_those_of_the_header():
    """As a C compiler lays out vulkan.h (1.3.239): a wrong one would let the driver write beyond it."""
    sizes = {
        "Application": 48, "InstanceInfo": 64, "Properties": 840, "Identity": 64, "Driver": 536, "Bus": 32,
        "Memory": 536, "MemoryBudget": 272, "Extension": 260,
    }  # fmt: skip
    assert {name: ctypes.sizeof(getattr(library, name)) for name in sizes} == sizes
    assert (library.Properties.name.offset, library.Properties.limits.offset) == (36, 312)
    assert (library.Memory.heap_count.offset, library.Memory.heaps.offset) == (276, 280)
    assert (library.MemoryBudget.usage.offset, library.InstanceInfo.extensions.offset) == (144, 56)
