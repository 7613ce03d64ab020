"""NVIDIA's devices: CUDA says which there are, and NVML what they are and who holds their memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.cgroup import read_cgroups
from uml_core.host.devices.cuda_driver import CudaError, cuda_order
from uml_core.host.devices.cuda_order import Place, known_order
from uml_core.host.devices.identity import bus_of
from uml_core.host.devices.occupants import occupants
from uml_core.host.devices.problem import DriverError
from uml_core.host.memory import measure_memory
from uml_core.host.nvml_probe import processes
from uml_core.types import Device

uml_api_version = API_VERSION
HINTS = {
    4: "this user may not ask it; look at the rights of /dev/nvidia*",
    9: "its module is not loaded: `sudo modprobe nvidia`, or install the driver for this kernel",
    12: "its library libnvidia-ml.so.1 is missing; in a container set NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    15: "a device has fallen off the bus; look at `dmesg`, and restart the machine",
    18: "it was updated while it ran; restart the machine",
}
PROHIBITED = 2
"""The compute mode in which a device takes no work."""


@hookimpl
def uml_detect_devices() -> Iterable[Device]:
    """Every device that CUDA would show an engine; if CUDA can't, all that NVML knows, with the reason.

    :raises DriverError: NVML can't be asked
    """
    import pynvml as nvml

    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        way_out = HINTS.get(getattr(error, "value", 0), "see what `nvidia-smi` says")
        raise DriverError(f"NVIDIA's driver can't be used ({error}): {way_out}") from None
    try:
        order, problem = known_order() or cuda_order(), ""
    except CudaError as error:
        order, problem = tuple(_all(nvml)), str(error)
    versions = _versions(nvml)
    return [
        _device(nvml, handle, index, place, problem=problem, versions=versions)
        for index, place in enumerate(order)
        if (handle := _handle(nvml, place.uuid)) is not None
    ]


def _all(nvml: Any) -> Iterator[Place]:
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = _asked(nvml, "nvmlDeviceGetHandleByIndex", index)
        if uuid := _text(_asked(nvml, "nvmlDeviceGetUUID", handle) if handle is not None else ""):
            yield Place(uuid)


def _handle(nvml: Any, uuid: str) -> Any:
    names = (uuid,) if uuid.startswith(("GPU-", "MIG-")) else (f"GPU-{uuid}", f"MIG-{uuid}")
    handles = (_asked(nvml, "nvmlDeviceGetHandleByUUID", name.encode()) for name in names)
    return next((handle for handle in handles if handle is not None), None)


def _device(
    nvml: Any, handle: Any, index: int, place: Place, *, problem: str, versions: Mapping[str, str | None]
) -> Device:
    total, free, used = _memory(nvml, handle)
    unified = place.unified or not total
    if unified:
        total, free = measure_memory(read_cgroups())
    held = processes(nvml, handle, total)
    holders = occupants(held or {}, marks=("nvidia", "libcuda"))
    uuid = _text(_asked(nvml, "nvmlDeviceGetUUID", handle))
    if not problem and _asked(nvml, "nvmlDeviceGetComputeMode", handle) == PROHIBITED:
        problem = f"it is set to take no work; `sudo nvidia-smi -i {uuid} -c DEFAULT` lets it"
    capability = _asked(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    return Device(
        id=f"cuda:{index}",
        kind="cuda",
        index=index,
        name=_text(_asked(nvml, "nvmlDeviceGetName", handle)) or "NVIDIA device",
        uuid=uuid,
        total_bytes=total,
        free_bytes=free,
        unified=unified,
        display=_asked(nvml, "nvmlDeviceGetDisplayActive", handle) == 1,
        capability=".".join(map(str, capability)) if capability else None,
        bus=_bus(nvml, handle),
        holders=holders,
        unseen_bytes=max(0, used - sum(holder.held_bytes for holder in holders)),
        problem=problem,
        **versions,
    )


def _memory(nvml: Any, handle: Any) -> tuple[int, int, int]:
    """All, free and used bytes; zeros for a device that has no memory of its own."""
    memory = _asked(nvml, "nvmlDeviceGetMemoryInfo", handle, version=getattr(nvml, "nvmlMemory_v2", None))
    memory = memory or _asked(nvml, "nvmlDeviceGetMemoryInfo", handle)  # an older driver, or a part of a device
    if memory is None or memory.used > memory.total:  # a negative number, wrapped around
        return 0, 0, 0
    return int(memory.total), int(memory.free), int(memory.used)


def _versions(nvml: Any) -> dict[str, str | None]:
    cuda = _asked(nvml, "nvmlSystemGetCudaDriverVersion_v2")
    driver = _text(_asked(nvml, "nvmlSystemGetDriverVersion"))
    return {"driver": driver or None, "runtime": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None}


def _bus(nvml: Any, handle: Any) -> str | None:
    whole = _asked(nvml, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", handle)
    place = _asked(nvml, "nvmlDeviceGetPciInfo", handle if whole is None else whole)
    return bus_of(place.domain, place.bus, place.device) if place else None


def _asked(nvml: Any, name: str, *arguments: Any, **named: Any) -> Any:
    """The answer; None where this driver or this device has none."""
    try:
        return getattr(nvml, name)(*arguments, **named)
    except (nvml.NVMLError, AttributeError, TypeError):
        return None


def _text(value: bytes | str | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
