"""A look at a worker."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from uml_core.host.nvml import Devices
from uml_core.supervisor.look import look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of mappings")


async def looked_at(*pids, mapped=False):
    process = SimpleNamespace(tree=lambda: list(pids), exited=asyncio.get_running_loop().create_future())
    plan = SimpleNamespace(model=SimpleNamespace(files=(Path("/no/model"),)), placement=SimpleNamespace(mapped=mapped))
    worker = SimpleNamespace(process=process, plan=plan, overhead_bytes=None, told_bytes={}, devices_before=None)
    return await look(worker, Devices(present=lambda: False))


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


async def test_a_worker_is_measured(child):
    assert (await looked_at(child.pid)).seen.memory.private_bytes > 0


@pytest.mark.parametrize("mapped", [False, True])
async def test_one_that_is_just_dying_is_not_measured_though_its_end_is_not_known_yet(child, mapped):
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie holds nothing any more
    assert await looked_at(child.pid, os.getpid(), mapped=mapped) is None
    assert await looked_at(child.pid, mapped=mapped) is None
