"""Loads that real limits leave no memory for."""

import os
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
MIB = 2**20


async def test_address_space_is_limited(bench, limited):
    """The cache of a million tokens is larger than the limit; the weights fit."""
    ending = await bench.end(through=limited(2048 * MIB), context_length=1_000_000, parallel=2)
    assert ending.error.code == "insufficient_memory"
    assert ending.error.status == 507
    assert ending.error.permanent
    assert ending.diagnosis.suggestion == {"context_length": 500_000, "parallel": 1}
    assert "there is too little free memory for it (it asked for " in ending.error.message
    assert "try `uml load org/smol --context-length 500000 --parallel 1`" in ending.error.message


async def test_the_engine_itself_has_no_room(bench):
    """The shell's limit is so small that libraries, threads or the file have no place."""
    ending = await bench.end(through=("sh", "-c", 'ulimit -v "$0" && exec "$@"', str(300_000)))
    assert ending.error.code == "insufficient_memory"
    assert "memory" in ending.error.message
    assert ending.error.detail


async def test_the_kernel_kills_it(bench, memory_group):
    """A control group with less memory than the weights need, which are read and not mapped."""
    unmapped = {"load_mode": "none"} if bench.name == "llamaserver" else {"use_mmap": False}
    ending = await bench.end(
        through=memory_group.enter(80 * MIB), oom_kills=memory_group.kills, context_length=4096, **unmapped
    )
    assert ending.exit.signal == signal.SIGKILL
    assert ending.exit.oom_kills
    assert ending.error.code == "insufficient_memory"
    assert "there was no memory left, and the system killed it" in ending.error.message
    assert "try `uml load org/smol --context-length 2048`" in ending.error.message


class MemoryGroup:
    """A control group below this process's own, of version 1 or 2."""

    def __init__(self, folder):
        self.folder = folder
        self.version = 1 if (folder / "memory.limit_in_bytes").exists() else 2

    def enter(self, size):
        """The beginning of a command that runs another one in the group, with so much memory and no swap."""
        names = {1: ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), 2: ("memory.max", "memory.swap.max")}
        for name, value in zip(names[self.version], (size, size if self.version == 1 else 0), strict=True):
            if (self.folder / name).exists():
                (self.folder / name).write_text(str(value))
        return ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.folder))

    def kills(self):
        name = {1: "memory.oom_control", 2: "memory.events"}[self.version]
        lines = (line.split() for line in (self.folder / name).read_text().splitlines())
        return next(int(count) for key, count in lines if key == "oom_kill")


@pytest.fixture
def memory_group():
    """A group that this process may make, or a skip with the reason."""
    try:
        folder = own_group() / f"uml-test-{os.getpid()}"
        folder.mkdir()
    except (OSError, StopIteration) as error:
        pytest.skip(f"no control group can be made here: {error!r}")
    group = MemoryGroup(folder)
    if group.version == 2 and not (folder / "memory.max").exists():
        folder.rmdir()
        pytest.skip("the memory controller is not delegated here")
    yield group
    folder.rmdir()


def own_group():
    """The folder of this process's group that has to do with memory."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    paths = {names: path for _, names, path in lines}
    if "memory" in paths:
        return Path("/sys/fs/cgroup/memory") / paths["memory"].lstrip("/")
    return Path("/sys/fs/cgroup") / paths[""].lstrip("/")
