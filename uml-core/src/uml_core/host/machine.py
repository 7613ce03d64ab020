"""What this machine is called in measurements: what decides how fast a model is here."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

from uml_core.host.cgroup import read_cgroups
from uml_core.host.cpu import count_cores

CPU_INFO = Path("/proc/cpuinfo")
NVIDIA = Path("/proc/driver/nvidia/gpus")
KEYS = ("model name", "Hardware", "cpu model", "Model")
"""What x86, older ARM, MIPS and Raspberry Pi call it in ``/proc/cpuinfo``."""


@cache
def machine_name() -> str:
    """Name processor, usable cores and accelerators, such as ``Intel Xeon, 2 cores``; the same for all of a process."""
    limits = read_cgroups()
    physical, logical = count_cores(quota=limits.cores)
    cores = f"{physical} core{'s' * (physical > 1)}"
    threads = f" ({logical} threads)" if logical != physical else ""
    return ", ".join([processor_name(), cores + threads, *device_names()])


def processor_name(*, cpu_info: Path = CPU_INFO) -> str:
    """What the processor's maker calls it; its architecture where nobody tells."""
    told = _field(cpu_info, KEYS) or (_sysctl() if sys.platform == "darwin" else "")
    return " ".join((told or platform.processor() or platform.machine() or "unknown processor").split())


def device_names(*, folder: Path = NVIDIA) -> tuple[str, ...]:
    """The names of NVIDIA's devices, as the driver's files say; no driver is asked, for one may hang."""
    return tuple(name for path in sorted(folder.glob("*/information")) if (name := _field(path, ("Model",))))


def _field(path: Path, keys: tuple[str, ...]) -> str:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    found = {name.strip(): value.strip() for name, _, value in pairs}
    return next((found[key] for key in keys if found.get(key)), "")


def _sysctl() -> str:
    try:
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
