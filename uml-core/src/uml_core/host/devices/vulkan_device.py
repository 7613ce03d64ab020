"""One device as its driver for Vulkan tells it."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import Any

from attrs import frozen

from uml_core.host.devices.identity import bus_of
from uml_core.host.devices.vulkan_library import (
    BUDGET,
    LOCAL,
    PCI,
    Bus,
    Driver,
    Extension,
    Heap,
    Identity,
    Memory,
    MemoryBudget,
    Properties,
    listed,
)

INTEGRATED, DISCRETE, VIRTUAL, CPU = 1, 2, 3, 4


@frozen(kw_only=True)
class VulkanDevice:
    """``type`` is one of Vulkan's numbers; ``free_bytes`` is None where the driver doesn't tell."""

    name: str
    type: int
    uuid: str
    bus: str | None
    api: str
    driver: str
    total_bytes: int
    free_bytes: int | None


def read_device(library: Any, handle: c_void_p) -> VulkanDevice:
    """Ask for everything about one device."""
    extensions = {one.name for one in listed(Extension, _extensions(library, handle))}
    driver = Driver.before()
    identity = Identity.before(driver)
    bus = Bus.before(identity) if PCI in extensions else None
    properties = Properties.before(bus if bus is not None else identity)
    library.vkGetPhysicalDeviceProperties2(handle, byref(properties))
    total_bytes, free_bytes = _memory(library, handle, tells_budget=BUDGET in extensions)
    api = properties.api_version
    return VulkanDevice(
        name=properties.name.decode("utf-8", "replace"),
        type=properties.type,
        uuid=bytes(identity.uuid).hex(),
        bus=bus_of(bus.domain, bus.bus, bus.device, bus.function) if bus is not None else None,
        api=f"{api >> 22 & 0x7F}.{api >> 12 & 0x3FF}.{api & 0xFFF}",
        driver=" ".join(part.decode("utf-8", "replace") for part in (driver.name, driver.info) if part),
        total_bytes=total_bytes,
        free_bytes=free_bytes,
    )


def _extensions(library: Any, handle: c_void_p) -> Any:
    return lambda count, found: library.vkEnumerateDeviceExtensionProperties(handle, None, count, found)


def _memory(library: Any, handle: c_void_p, *, tells_budget: bool) -> tuple[int, int | None]:
    """All and free bytes of the heaps that lie on the device."""
    budget = MemoryBudget.before()
    memory = Memory.before(budget if tells_budget else None)
    library.vkGetPhysicalDeviceMemoryProperties2(handle, byref(memory))
    heaps: list[tuple[int, Heap]] = list(enumerate(memory.heaps[: memory.heap_count]))
    local = [index for index, heap in heaps if heap.flags & LOCAL]
    total = sum(memory.heaps[index].size for index in local)
    if not tells_budget:
        return total, None
    return total, sum(max(0, budget.budget[index] - budget.usage[index]) for index in local)
