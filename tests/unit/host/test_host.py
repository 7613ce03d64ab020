from __future__ import annotations

import os
import sys

import psutil
import pytest

from uml_core.host import probe_host
from uml_core.host.cgroup import Limits
from uml_core.types import Holder


def test_this_machine():
    host = probe_host()
    assert host.platform == sys.platform
    assert 1 <= host.physical_cores <= host.logical_cores <= len(os.sched_getaffinity(0))
    assert 0 < host.free_memory_bytes <= host.memory_bytes <= psutil.virtual_memory().total
    assert host.processor
    assert host.numa_nodes >= 1
    assert host.holders == ()


def test_holders_when_asked():
    assert all(isinstance(holder, Holder) for holder in probe_host(devices=False, holders=True).holders)


def test_without_devices_nobody_looks_for_them(monkeypatch):
    def fail():
        raise AssertionError("looked for devices")

    monkeypatch.setattr("uml_core.host.host.find_devices", fail)
    assert probe_host(devices=False).devices == ()


@pytest.mark.parametrize(
    ("limits", "limited"),
    [
        (Limits(), False),
        (Limits(cores=0.5), True),
        (Limits(cores=4096.0), False),
        (Limits(memory_bytes=1 << 20), True),
        (Limits(memory_bytes=1 << 60), False),
    ],
)
def test_limits_of_a_container(monkeypatch, limits, limited):
    monkeypatch.setattr("uml_core.host.host.read_cgroups", lambda: limits)
    assert probe_host(devices=False).limited is limited
