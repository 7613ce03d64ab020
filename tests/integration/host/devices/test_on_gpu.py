"""Real devices of NVIDIA's: what the probe says is what CUDA does. `benchmarks/gpu/host.py` does more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from uml_core.host.devices.child import ask
from uml_core.host.nvml import has_driver

ALLOCATE = Path(__file__).parents[4] / "benchmarks" / "gpu" / "allocate.py"
MIB = 1 << 20
SIZE_MIB = 512

pytestmark = pytest.mark.skipif(not has_driver(), reason="there is no NVIDIA driver on this machine")


@pytest.fixture
def looked():
    def look(**environment):
        (answer,) = ask(["cuda"], environment=environment)
        if answer.problem or not answer.devices:
            pytest.skip(f"no device to look at: {answer.problem}")
        return answer.devices

    return look


@pytest.fixture
def taker():
    """Start a process that takes 512 MiB of a device, by CUDA's number; skips if there is none to take."""
    started = []

    def start(number):
        pipe = subprocess.PIPE
        command = [sys.executable, "-I", "-S", str(ALLOCATE), str(SIZE_MIB), str(number)]
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        answer = json.loads(started[-1].stdout.readline())
        if "error" in answer:
            pytest.skip(f"no device memory to take: {answer['error']}")
        return started[-1].pid

    yield start
    for process in started:
        process.communicate()


def test_facts(looked):
    for index, device in enumerate(looked()):
        assert (device.id, device.index, device.problem) == (f"cuda:{index}", index, "")
        assert 0 <= device.free_bytes <= device.total_bytes
        assert device.uuid.startswith(("GPU-", "MIG-"))
        assert device.name
        assert device.driver
        assert device.runtime
        assert device.capability


def test_what_another_process_takes_is_seen_at_the_device_of_that_number(looked, taker):
    before = looked()
    number = len(before) - 1
    pid = taker(number)
    now = looked()
    assert before[number].free_bytes - now[number].free_bytes >= SIZE_MIB * MIB
    named = {device.id: holder.held_bytes for device in now for holder in device.holders if holder.pid == pid}
    unseen = now[number].unseen_bytes - before[number].unseen_bytes
    assert named.get(f"cuda:{number}", unseen) >= SIZE_MIB * MIB, "named, or told as held by who can't be seen"
    assert set(named) <= {f"cuda:{number}"}


def test_what_is_hidden_is_not_listed(looked):
    *_, last = looked()
    (only,) = looked(CUDA_VISIBLE_DEVICES=last.uuid)
    assert (only.id, only.uuid) == ("cuda:0", last.uuid)
    (answer,) = ask(["cuda"], environment={"CUDA_VISIBLE_DEVICES": ""})
    assert (answer.devices, answer.problem) == ((), "")
