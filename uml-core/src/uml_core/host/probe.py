"""The machine as planning sees it, asked anew each time: free memory is never what it was."""

from __future__ import annotations

import sys

from uml_core.host.cgroup import read_cgroups
from uml_core.host.cpu import count_cores
from uml_core.host.memory import measure_memory
from uml_core.types import HostInfo


def probe_host() -> HostInfo:
    """Read the cores and the memory that this process may use, within the limits of its control group."""
    limits = read_cgroups()
    physical, logical = count_cores(quota=limits.cores)
    memory_bytes, free_bytes = measure_memory(limits)
    return HostInfo(
        platform=sys.platform,
        physical_cores=physical,
        logical_cores=logical,
        memory_bytes=memory_bytes,
        free_memory_bytes=free_bytes,
    )
