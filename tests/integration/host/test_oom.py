"""A real process that the kernel kills for want of memory."""

from __future__ import annotations

import signal
import subprocess
import sys

from uml_core.host.cgroup import oom_counter, oom_kills, read_cgroups

MB = 1 << 20
GREEDY = """
import sys
print("ready", flush=True)
wanted = int(sys.stdin.readline())
held = bytearray(b"x") * wanted
print("got it", flush=True)
sys.stdin.readline()
"""


def start(group):
    child = subprocess.Popen(
        group.inside([sys.executable, "-I", "-S", "-c", GREEDY]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    return child


def tell(child, word):
    child.stdin.write(f"{word}\n")
    child.stdin.flush()


def test_the_kernels_kill_is_counted_in_the_group_of_the_killed(memory_group):
    group = memory_group(64 * MB)
    ours = oom_kills()
    with start(group) as child:
        count = oom_counter(child.pid)
        assert count() == oom_kills(child.pid) == 0
        tell(child, 256 * MB)
        assert child.stdout.read() == ""
        assert child.wait(10) == -signal.SIGKILL
        assert count() == 1
    assert oom_kills() == ours, "the group around it counts only its own"


def test_another_kill_is_none(memory_group):
    group = memory_group(64 * MB)
    with start(group) as child:
        count = oom_counter(child.pid)
        tell(child, 16 * MB)
        assert child.stdout.readline() == "got it\n"
        child.kill()
        assert child.wait(10) == -signal.SIGKILL
    assert count() == 0
    assert oom_kills(child.pid) is None


def test_the_limit_of_the_group_is_what_its_process_may_use(memory_group):
    group = memory_group(64 * MB)
    script = "from uml_core.host.cgroup import read_cgroups; print(read_cgroups().memory_bytes)"
    done = subprocess.run(
        group.inside([sys.executable, "-P", "-c", script]), capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == min(64 * MB, read_cgroups().memory_bytes or 64 * MB)
