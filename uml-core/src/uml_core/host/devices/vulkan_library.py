"""The part of Vulkan's loader that tells of devices, as ctypes sees it; names and numbers are those of ``vulkan.h``."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_int, c_ubyte, c_uint32, c_uint64, c_void_p
from typing import Any, ClassVar

from uml_core.host.devices.problem import DriverError

VERSION = 1 << 22 | 1 << 12
"""1.1: from then on everything below is there without an extension, but for the two that are asked for by name."""
LOCAL = 1
BUDGET, PCI = b"VK_EXT_memory_budget", b"VK_EXT_pci_bus_info"


class Chained(Structure):
    """What begins with the number of its kind and a pointer to the next."""

    KIND: ClassVar[int] = 0
    _fields_: ClassVar[Any] = [("kind", c_int), ("next", c_void_p)]

    @classmethod
    def before(cls, next: Structure | None = None) -> Any:
        return cls(kind=cls.KIND, next=ctypes.addressof(next) if next is not None else None)


class Application(Chained):
    _fields_: ClassVar[Any] = [
        ("name", c_char_p), ("version", c_uint32), ("engine", c_char_p), ("engine_version", c_uint32),
        ("api_version", c_uint32),
    ]  # fmt: skip


class InstanceInfo(Chained):
    KIND = 1
    _fields_: ClassVar[Any] = [
        ("flags", c_uint32), ("application", POINTER(Application)), ("layer_count", c_uint32), ("layers", c_void_p),
        ("extension_count", c_uint32), ("extensions", POINTER(c_char_p)),
    ]  # fmt: skip


class Properties(Chained):
    KIND = 1000059001
    _fields_: ClassVar[Any] = [
        ("api_version", c_uint32), ("driver_version", c_uint32), ("vendor", c_uint32), ("device", c_uint32),
        ("type", c_int), ("name", c_char * 256), ("cache_uuid", c_ubyte * 16),
        ("limits", c_uint64 * 63), ("sparse", c_uint32 * 5),
    ]  # fmt: skip


class Identity(Chained):
    KIND = 1000071004
    _fields_: ClassVar[Any] = [
        ("uuid", c_ubyte * 16), ("driver_uuid", c_ubyte * 16), ("luid", c_ubyte * 8), ("node_mask", c_uint32),
        ("has_luid", c_uint32),
    ]  # fmt: skip


class Driver(Chained):
    KIND = 1000196000
    _fields_: ClassVar[Any] = [
        ("id", c_int), ("name", c_char * 256), ("info", c_char * 256), ("conformance", c_ubyte * 4),
    ]  # fmt: skip


class Bus(Chained):
    KIND = 1000212000
    _fields_: ClassVar[Any] = [
        ("domain", c_uint32), ("bus", c_uint32), ("device", c_uint32), ("function", c_uint32),
    ]  # fmt: skip


class MemoryType(Structure):
    _fields_: ClassVar[Any] = [("flags", c_uint32), ("heap", c_uint32)]


class Heap(Structure):
    _fields_: ClassVar[Any] = [("size", c_uint64), ("flags", c_uint32)]


class Memory(Chained):
    KIND = 1000059006
    _fields_: ClassVar[Any] = [
        ("type_count", c_uint32), ("types", MemoryType * 32), ("heap_count", c_uint32), ("heaps", Heap * 16),
    ]  # fmt: skip


class MemoryBudget(Chained):
    KIND = 1000237000
    _fields_: ClassVar[Any] = [("budget", c_uint64 * 16), ("usage", c_uint64 * 16)]


class Extension(Structure):
    _fields_: ClassVar[Any] = [("name", c_char * 256), ("version", c_uint32)]


@contextmanager
def instance() -> Iterator[tuple[Any, c_void_p]]:
    """The loader with an instance, for as long as the context lasts.

    :raises DriverError: there is no loader, or no driver that it could use
    """
    library = _library()
    application = Application.before()
    application.name, application.api_version = b"uml", VERSION
    info = InstanceInfo.before()
    info.application = ctypes.pointer(application)
    made = c_void_p()
    if code := library.vkCreateInstance(byref(info), None, byref(made)):
        raise DriverError(f"Vulkan can't be started (error {code}); update the driver of the graphics card")
    try:
        yield library, made
    finally:
        library.vkDestroyInstance(made, None)


def listed(kind: type[Any], ask: Callable[[Any, Any], int]) -> list[Any]:
    """What a function of Vulkan's tells in two calls: how many there are, then all."""
    count = c_uint32()
    ask(byref(count), None)
    found = (kind * count.value)()
    ask(byref(count), found)
    return list(found[: count.value])


def _library() -> Any:
    name = "vulkan-1.dll" if sys.platform == "win32" else "libvulkan.so.1"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        raise DriverError(f"there are drivers for Vulkan, but not its loader, {name}: install libvulkan1") from None
    library.vkDestroyInstance.argtypes = [c_void_p, c_void_p]
    library.vkDestroyInstance.restype = None
    library.vkEnumeratePhysicalDevices.argtypes = [c_void_p, c_void_p, c_void_p]
    library.vkEnumerateDeviceExtensionProperties.argtypes = [c_void_p, c_char_p, c_void_p, c_void_p]
    for name in ("vkGetPhysicalDeviceProperties2", "vkGetPhysicalDeviceMemoryProperties2"):
        getattr(library, name).argtypes = [c_void_p, c_void_p]
        getattr(library, name).restype = None
    return library
