"""The machine as planning sees it, asked anew each time: free memory is never what it was."""

from __future__ import annotations

import sys
from functools import cache

import psutil

from uml_core.host.cgroup import Limits, read_cgroups
from uml_core.host.cpu import count_cores
from uml_core.host.devices import find_devices
from uml_core.host.holders import memory_holders
from uml_core.host.isa import instruction_sets
from uml_core.host.machine import processor_name
from uml_core.host.memory import measure_memory
from uml_core.host.numa import count_numa_nodes
from uml_core.types import HostInfo


def probe_host(*, devices: bool = True, holders: bool = False) -> HostInfo:
    """Read what this process may use of the machine, within the limits of its control group.

    It blocks: 1 ms on a machine without accelerators, with them as long as their drivers take to answer, or 10 seconds
    if one hangs. What is free on them is at most 2 seconds old.

    :param devices: look for accelerators, too
    :param holders: look who holds the memory, too; takes 0.1 ms for each process of the machine
    """
    limits = read_cgroups()
    physical, logical = count_cores(quota=limits.cores)
    memory_bytes, free_bytes = measure_memory(limits)
    return HostInfo(
        platform=sys.platform,
        physical_cores=physical,
        logical_cores=logical,
        memory_bytes=memory_bytes,
        free_memory_bytes=free_bytes,
        processor=_processor(),
        isa=instruction_sets(),
        numa_nodes=count_numa_nodes(),
        limited=_is_limited(limits),
        devices=find_devices().devices if devices else (),
        holders=memory_holders() if holders else (),
    )


_processor = cache(processor_name)


def _is_limited(limits: Limits) -> bool:
    fewer = limits.cores is not None and limits.cores < (psutil.cpu_count() or 1)
    return fewer or (limits.memory_bytes or sys.maxsize) < psutil.virtual_memory().total
