"""The memory that this process may use."""

from __future__ import annotations

import psutil

from uml_core.host.cgroup import Limits


def measure_memory(limits: Limits) -> tuple[int, int]:
    """Give all and free memory in bytes: the machine's, or the control group's where that is less."""
    machine = psutil.virtual_memory()
    total = min(machine.total, limits.memory_bytes or machine.total)
    return total, min(machine.available, total if limits.free_memory_bytes is None else limits.free_memory_bytes)
