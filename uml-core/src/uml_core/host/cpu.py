"""The cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

TOPOLOGY = Path("/sys/devices/system/cpu")


def count_cores(*, quota: float | None = None, topology: Path = TOPOLOGY) -> tuple[int, int]:
    """Count physical and logical cores, at least one of each.

    :param quota: processor time that may be used, in cores; a thread beyond it only waits
    """
    usable = _usable()
    logical = len(usable) if usable else os.cpu_count() or 1
    physical = _physical(usable, topology) or psutil.cpu_count(logical=False) or logical
    most = logical if quota is None else max(1, int(quota))
    return min(physical, logical, most), min(logical, most)


def _usable() -> set[int]:
    """Numbers of the processors that this process may run on; empty where the system doesn't tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _physical(usable: set[int], topology: Path) -> int:
    """Count the cores behind *usable*: two of them may be the two threads of one core. 0 if it's unknown."""
    cores = set()
    for number in usable:
        folder = topology / f"cpu{number}" / "topology"
        try:
            cores.add(((folder / "physical_package_id").read_text(), (folder / "core_id").read_text()))
        except OSError:
            return 0
    return len(cores)
