"""Apple's devices: part of the processor, with a limit on how much of the machine's memory they may wire."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Iterable

from uml_core import API_VERSION, hookimpl
from uml_core.host.cgroup import Limits
from uml_core.host.memory import measure_memory
from uml_core.types import Device

uml_api_version = API_VERSION
SYSCTL = "/usr/sbin/sysctl"
LARGE_BYTES = 36 << 30
"""From more than this macOS lets the device wire three quarters of the memory, else two thirds."""


@hookimpl
def uml_detect_devices() -> Iterable[Device]:
    return [detect(_sysctl)]


def detect(sysctl: Callable[[str], str]) -> Device:
    """The one device of a Mac.

    :param sysctl: gives the value of a name, nothing for an unknown one
    """
    memory_bytes, free_bytes = measure_memory(Limits())
    limit_bytes = working_set(int(sysctl("hw.memsize") or memory_bytes), int(sysctl("iogpu.wired_limit_mb") or 0) << 20)
    return Device(
        id="metal:0",
        kind="metal",
        index=0,
        name=sysctl("machdep.cpu.brand_string") or "Apple GPU",
        uuid="metal:0",
        total_bytes=limit_bytes,
        free_bytes=min(limit_bytes, free_bytes),
        unified=True,
        display=True,
        driver=f"macOS {platform.mac_ver()[0]}",
    )


def working_set(memory_bytes: int, wired_limit_bytes: int = 0) -> int:
    """What Metal recommends as the most to hold: what the user has set (``iogpu.wired_limit_mb``), else a share."""
    share = memory_bytes * 3 // 4 if memory_bytes > LARGE_BYTES else memory_bytes * 2 // 3
    return min(memory_bytes, wired_limit_bytes or share)


def _sysctl(name: str) -> str:
    try:
        asked = subprocess.run([SYSCTL, "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()
