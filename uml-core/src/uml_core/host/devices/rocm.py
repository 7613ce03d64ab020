"""AMD's devices, from the kernel's files: ROCm's own library would have to be installed, and may hang."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from uml_core import API_VERSION, hookimpl
from uml_core.host.cgroup import PROCESSES, read_cgroups
from uml_core.host.devices.kfd import KfdNode, kfd_nodes, kfd_processes, number, text
from uml_core.host.devices.occupants import occupants
from uml_core.host.devices.visible import visible
from uml_core.host.memory import measure_memory
from uml_core.types import Device

uml_api_version = API_VERSION
VARIABLES = (("ROCR_VISIBLE_DEVICES",), ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"))
"""Each narrows what the one before left; of HIP's two, the first that is set counts."""
NAMES = ("usr/share/libdrm/amdgpu.ids", "opt/amdgpu/share/libdrm/amdgpu.ids")
NO_RIGHT = (
    "this user may not open /dev/kfd; `sudo usermod -aG render,video $USER` and a new login let it, in a container "
    "pass /dev/kfd and /dev/dri on"
)


@hookimpl
def uml_detect_devices() -> Iterable[Device]:
    return detect()


def detect(*, root: Path = Path("/"), proc: Path = PROCESSES) -> list[Device]:
    """The devices that HIP would show an engine, in its order."""
    nodes = _left(kfd_nodes(root / "sys"))
    problem = "" if os.access(root / "dev/kfd", os.R_OK | os.W_OK) else NO_RIGHT
    return [_device(node, index, root=root, proc=proc, problem=problem) for index, node in enumerate(nodes)]


def _left(nodes: list[KfdNode]) -> list[KfdNode]:
    for names in VARIABLES:
        said = next((os.environ[name] for name in names if name in os.environ), None)
        nodes = [nodes[place] for place in visible(said, [node.uuid for node in nodes])]
    return nodes


def _device(node: KfdNode, index: int, *, root: Path, proc: Path, problem: str) -> Device:
    card = root / "sys/class/drm" / node.render / "device"
    total, used = number(card / "mem_info_vram_total"), number(card / "mem_info_vram_used")
    free = max(0, total - used)
    if node.unified:  # beside its own part it takes what it needs of the machine's memory, up to a limit
        own_bytes, rest = number(card / "mem_info_gtt_total"), measure_memory(read_cgroups())[1]
        free += min(max(0, own_bytes - number(card / "mem_info_gtt_used")), rest)
        total += own_bytes
    holders = occupants(kfd_processes(root / "sys", node.gpu_id), marks=("kfd", "amdgpu", "renderD"), proc=proc)
    return Device(
        id=f"rocm:{index}",
        kind="rocm",
        index=index,
        name=_name(card, root) or f"AMD {node.architecture}",
        uuid=node.uuid,
        total_bytes=total,
        free_bytes=free,
        unified=node.unified,
        display=_has_display(card),
        capability=node.architecture,
        driver=text(root / "sys/module/amdgpu/version") or platform.release(),
        runtime=text(root / "opt/rocm/.info/version").partition("-")[0] or None,
        bus=node.bus,
        holders=holders,
        unseen_bytes=max(0, used - sum(holder.held_bytes for holder in holders)),
        problem=problem,
    )


def _name(card: Path, root: Path) -> str:
    """As the card itself says, else as the list says that comes with the driver's library."""
    key = tuple(text(card / name).removeprefix("0x").lower() for name in ("device", "revision"))
    lines = (line.split(",", 2) for name in NAMES for line in text(root / name).splitlines())
    listed = (parts for parts in lines if len(parts) == 3)
    found = (
        name.strip() for device, revision, name in listed if (device.strip().lower(), revision.strip().lower()) == key
    )
    return text(card / "product_name") or next(found, "")


def _has_display(card: Path) -> bool:
    return any(text(path) == "connected" for path in (card / "drm").glob("card*/card*-*/status"))
