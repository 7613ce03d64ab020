"""Promise 2 on a real device: what a worker held there is given back, and known to be."""

import os
import signal

import pytest

from uml_core.host.nvml import has_driver
from uml_core.types import LoadRequest

pytestmark = pytest.mark.skipif(not has_driver(), reason="no NVIDIA driver here")
SIZE = 512 << 20


async def test_device_memory_is_given_back_after_an_unload_and_after_a_kill(house, eventually):
    name = house.model("a", device_bytes=SIZE)
    for _ in range(3):
        await house.supervisor.load(LoadRequest(model=name))
        release = (await house.supervisor.unload()).release
        assert release.proven
        assert release.devices_known
        assert release.unattributed_bytes == 0
        assert SIZE <= release.freed_bytes == release.expected_bytes
    await house.supervisor.load(LoadRequest(model=name))
    worker = house.supervisor._slot.worker
    await eventually(lambda: worker.devices_seen is not None)
    os.kill(worker.process.pid, signal.SIGKILL)
    await eventually(lambda: any(job.kind == "restart" for job in house.supervisor.jobs()))
    (restart,) = [job for job in house.supervisor.jobs() if job.kind == "restart"]
    release = (await house.supervisor.wait(restart.id)).release
    assert SIZE <= release.freed_bytes == release.expected_bytes
