"""What Vulkan sees, through its loader: the devices of all makers, and for many the only way to use them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from ctypes import c_void_p

from uml_core import API_VERSION, hookimpl
from uml_core.host.cgroup import read_cgroups
from uml_core.host.devices.visible import visible
from uml_core.host.devices.vulkan_device import CPU, INTEGRATED, VulkanDevice, read_device
from uml_core.host.devices.vulkan_library import instance, listed
from uml_core.host.memory import measure_memory
from uml_core.types import Device

uml_api_version = API_VERSION
VARIABLE = "GGML_VK_VISIBLE_DEVICES"
"""What engines of the ggml family take for themselves, as numbers among all that Vulkan lists."""


@hookimpl
def uml_detect_devices() -> Iterable[Device]:
    """Ask Vulkan.

    :raises DriverError: it can't be asked
    """
    return accelerators(read_all())


def accelerators(found: Sequence[VulkanDevice]) -> list[Device]:
    """Every device that isn't a processor in disguise, such as lavapipe; each once, though two drivers may have it."""
    left = [found[place] for place in visible(os.environ.get(VARIABLE), [device.uuid for device in found])]
    first: dict[str, VulkanDevice] = {}
    for device in left:
        if device.type != CPU:
            first.setdefault(device.uuid, device)
    return [_device(device, index) for index, device in enumerate(first.values())]


def read_all() -> list[VulkanDevice]:
    """Everything that Vulkan lists, in its order, processors too.

    :raises DriverError: Vulkan can't be asked
    """
    with instance() as (library, made):
        ask = library.vkEnumeratePhysicalDevices
        handles = listed(c_void_p, lambda count, found: ask(made, count, found))
        return [read_device(library, c_void_p(handle)) for handle in handles]


def _device(device: VulkanDevice, index: int) -> Device:
    unified = device.type == INTEGRATED
    free_bytes = device.total_bytes if device.free_bytes is None else device.free_bytes
    if unified:
        free_bytes = min(free_bytes, measure_memory(read_cgroups())[1])
    return Device(
        id=f"vulkan:{index}",
        kind="vulkan",
        index=index,
        name=device.name,
        uuid=device.uuid,
        total_bytes=device.total_bytes,
        free_bytes=min(free_bytes, device.total_bytes),
        unified=unified,
        driver=device.driver or None,
        runtime=device.api,
        bus=device.bus,
        unseen_bytes=max(0, device.total_bytes - free_bytes) if not unified else 0,
    )
