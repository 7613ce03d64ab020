"""What CUDA itself sees: which devices, in which order, and if it can't, why not.

Only the driver knows how its engines count: by speed unless ``CUDA_DEVICE_ORDER`` says by address, without what
``CUDA_VISIBLE_DEVICES`` hides, and of split devices only some parts. No context is made, so no memory is taken.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any

from uml_core.host.devices.cuda_order import Place

INTEGRATED = 18
"""The attribute that says whether a device shares the machine's memory."""
NO_DEVICE = 100
HINTS = {
    3: "restart the machine",
    34: "LD_LIBRARY_PATH leads to a stub of libcuda; take it out",
    100: "CUDA sees no device that it supports; update NVIDIA's driver",
    101: "the device is gone; look at `dmesg`, and restart the machine",
    304: "the system refused it; look at the rights of /dev/nvidia*, in a container pass the devices on",
    802: "the system is not ready; start NVIDIA's fabric manager: `systemctl start nvidia-fabricmanager`",
    803: "driver and libcuda are of different versions; restart the machine",
    804: "a newer libcuda is not supported on this device; take its folder (cuda-compat) out of LD_LIBRARY_PATH",
    999: "load the module anew: `sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm`, or restart the machine",
}


class CudaError(Exception):
    """CUDA can't be used; the text says why and what to do."""


def cuda_order() -> tuple[Place, ...]:
    """The devices in the order in which engines count them; none, if all are hidden.

    :raises CudaError: no engine could use CUDA here
    """
    library = _library()
    code = library.cuInit(0)
    if code == NO_DEVICE and os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
        return ()
    if code:
        raise CudaError(f"CUDA can't be started (error {code}): {HINTS.get(code, 'update the driver')}")
    return tuple(_places(library))


def _places(library: Any) -> Iterator[Place]:
    number = ctypes.c_int()
    library.cuDeviceGetCount(ctypes.byref(number))
    for index in range(number.value):
        device, integrated = ctypes.c_int(), ctypes.c_int()
        uuid = (ctypes.c_ubyte * 16)()
        library.cuDeviceGet(ctypes.byref(device), index)
        # the second version gives the id of a part of a split device, the first that of the whole
        ask = getattr(library, "cuDeviceGetUuid_v2", None) or library.cuDeviceGetUuid
        ask(ctypes.byref(uuid), device)
        library.cuDeviceGetAttribute(ctypes.byref(integrated), INTEGRATED, device)
        yield Place(uuid_text(bytes(uuid)), bool(integrated.value))


def uuid_text(raw: bytes) -> str:
    """The id as NVML writes it, but for its beginning, ``GPU-`` or ``MIG-``."""
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _library() -> Any:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise CudaError(
            f"NVIDIA's driver is here, but not its part for CUDA, {name}: install it (libcuda1, nvidia-driver-cuda), "
            "in a container set NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        ) from None
