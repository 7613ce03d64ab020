"""A real device: what a child takes of it is seen, and its end gives it back. `benchmarks/gpu/release.py` does more."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from uml_core.host.nvml import Devices, has_driver, held_bytes, released

ALLOCATE = Path(__file__).parents[3] / "benchmarks" / "gpu" / "allocate.py"
MIB = 1 << 20
SIZE_MIB = 512

pytestmark = pytest.mark.skipif(not has_driver(), reason="there is no NVIDIA driver on this machine")


@pytest.fixture
async def devices():
    reader = Devices()
    yield reader
    await reader.close()


@pytest.fixture
def taker():
    """Start a process that takes 512 MiB of the first device; skips if there is no device to take it from."""
    started = []

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-I", "-S", str(ALLOCATE), str(SIZE_MIB)]
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        answer = json.loads(started[-1].stdout.readline())
        if "error" in answer:
            pytest.skip(f"no device memory to take: {answer['error']}")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def test_a_killed_process_gives_its_device_memory_back(devices, taker):
    """By the driver's rows where it lists the process, else by the device."""
    before_load = await devices.read()
    if before_load is None:
        pytest.skip(f"the driver gives no reading: {devices.problem}")
    process = await asyncio.to_thread(taker)
    before_end = await devices.read()
    assert held_bytes(before_load, before_end, {process.pid}) >= SIZE_MIB * MIB
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while True:
        release = released(before_load, before_end, await devices.read(), {process.pid})
        if not release.unattributed_bytes or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.01)
    assert release.freed_bytes == release.expected_bytes >= SIZE_MIB * MIB
    assert release.unattributed_bytes == 0
    assert release.rows_gone == before_end.lists({process.pid})
