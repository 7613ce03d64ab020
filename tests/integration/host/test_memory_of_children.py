"""Real processes that hold memory of each kind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from uml_core.host.memory import TreeMemory, measure_tree, quick_anon_bytes, resident_bytes

MB = 1 << 20
SIZE = 64 * MB
SLACK = 4 * MB
HOLDER = f"""
import mmap, os, sys
kept = []
for order in sys.stdin:
    what, _, path = order.strip().partition(" ")
    if what == "anonymous":
        kept.append(bytearray(b"x") * {SIZE})
    elif what == "file":
        with open(path, "rb") as file:
            kept.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        sum(kept[-1][at] for at in range(0, {SIZE}, 4096))
    elif what == "shared":
        kept.append(mmap.mmap(-1, {SIZE}))
        kept[-1].write(b"x" * {SIZE})
    elif what == "open":
        kept += [open(os.devnull) for _ in range(20)]
    elif what == "fork":
        asked, asks = os.pipe()
        child = os.fork()
        if not child:
            os.close(asks)
            os.read(asked, 1)  # until the parent has ended
            os._exit(0)
        kept.append(asks)
    print(child if what == "fork" else "done", flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own count")


class Holder:
    """A process that holds what it is told to, and how much more that is than before."""

    def __init__(self, process):
        self.process = process
        self.pids = [process.pid]
        self.tell("open")
        self.before = measure_tree(self.pids)
        self.quick_before = quick_anon_bytes(self.pids), resident_bytes(self.pids)

    def tell(self, order):
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def grown(self):
        now = measure_tree(self.pids)
        sizes = ("private_bytes", "shared_bytes", "rss_bytes", "anon_bytes")
        return tuple(round((getattr(now, name) - getattr(self.before, name)) / SIZE, 1) for name in sizes)

    def quickly_grown(self):
        now = quick_anon_bytes(self.pids), resident_bytes(self.pids)
        return tuple(round((size - before) / SIZE, 1) for size, before in zip(now, self.quick_before, strict=True))


@pytest.fixture
def holder():
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", HOLDER], stdin=pipe, stdout=pipe, text=True) as process:
        yield Holder(process)
        process.stdin.close()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(os.urandom(MB) * (SIZE // MB))
    return path


def test_what_it_allocates_is_private(holder):
    holder.tell("anonymous")
    assert holder.grown() == (1, 0, 1, 1)
    assert holder.quickly_grown() == (1, 1)


def test_a_mapped_model_is_not_private_though_nobody_else_maps_it(holder, model):
    holder.tell(f"file {model}")
    assert holder.grown()[0] == 0
    assert holder.grown()[1:3] == (1, 1)
    assert holder.quickly_grown()[1] == 1


def test_shared_memory(holder):
    holder.tell("shared")
    assert holder.grown() == (0, 1, 1, 1)


def test_a_fork_shares_what_its_parent_has(holder):
    holder.tell("anonymous")
    holder.pids.append(int(holder.tell("fork")))
    private, _, rss, anon = holder.grown()
    assert private == 1
    assert (rss >= 2, anon >= 2) == (True, True)
    assert measure_tree(holder.pids).pids == tuple(holder.pids)


def test_descriptors(holder):
    before = measure_tree(holder.pids).fds
    holder.tell("open")
    assert measure_tree(holder.pids).fds == before + 20


def test_a_zombie_and_one_that_is_gone():
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken note
        zombie = measure_tree([child.pid]), quick_anon_bytes([child.pid]), resident_bytes([child.pid])
    assert zombie == (TreeMemory(), 0, 0)
    assert (measure_tree([child.pid]), quick_anon_bytes([child.pid])) == (TreeMemory(), 0)
