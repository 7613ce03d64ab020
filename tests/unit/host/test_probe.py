from __future__ import annotations

import os
import sys

import psutil

from uml_core.host import probe_host


def test_this_machine():
    host = probe_host()
    assert host.platform == sys.platform
    assert 1 <= host.physical_cores <= host.logical_cores <= len(os.sched_getaffinity(0))
    assert 0 < host.free_memory_bytes <= host.memory_bytes <= psutil.virtual_memory().total
