"""The child that lays out the buffers, as a script that says what llama.cpp would."""

import os
import sys

import psutil
import pytest

from uml_core.host.ggml import probe

MIB = 1 << 20
START = """
import os, signal, sys, time
def say(line): print(line, flush=True)
def own():
    return sum(int(l.split()[1]) << 10 for l in open("/proc/self/status") if l.startswith(("RssAnon", "RssShmem")))
told = sys.stdin.read()
say(f"uml: the empty worker holds {own()} bytes")
"""
BUFFERS = """
say("sched_reserve:      CUDA0 compute buffer size =   304.75 MiB")
say("llama_kv_cache:        CPU KV buffer size =     0.00 MiB")
say("llama_context:        CPU  output buffer size =     1.00 MiB")
say("sched_reserve:        CPU compute buffer size =    18.00 MiB")
"""
DONE = 'say("sched_reserve: reserve took 5.26 ms, sched copies = 1"); time.sleep(60)'

linux = pytest.mark.skipif(sys.platform != "linux", reason="nothing tells there what a process holds")


def asked(*script, said=""):
    children = set(psutil.Process().children())
    estimate = probe((sys.executable, "-c", "\n".join((START, *script))), env=os.environ, said=said)
    assert set(psutil.Process().children()) <= children, "the child is still there"
    return estimate


@linux
def test_buffers_of_each_device_and_what_the_child_holds():
    estimate = asked("held = b'x' * (32 << 20)", BUFFERS, DONE)
    gpu, empty, host = estimate.parts
    assert (empty.device, empty.kind, empty.source) == ("cpu", "overhead", "probe")
    assert MIB < empty.size_bytes < 32 * MIB
    assert (gpu.device, gpu.kind, gpu.source) == ("cuda:0", "compute", "probe")
    assert gpu.low_bytes == gpu.size_bytes == gpu.high_bytes == round(304.75 * MIB)
    assert (host.device, host.kind, host.source) == ("cpu", "compute", "probe")
    assert host.size_bytes == pytest.approx((32 + 19) * MIB, abs=MIB)
    assert host.low_bytes < host.size_bytes < host.high_bytes


@linux
def test_it_is_told_what_to_lay_out():
    allocated = asked("held = b'x' * int(told)", BUFFERS, DONE, said=str(64 * MIB)).parts[-1]
    assert allocated.size_bytes == pytest.approx((64 + 19) * MIB, abs=MIB)


@pytest.mark.parametrize(
    "script",
    ["sys.exit('no such model')", BUFFERS, "os.kill(os.getpid(), signal.SIGKILL)", "say(chr(0xfffd) * 99999)"],
)
def test_a_child_that_does_not_come_to_it(script):
    assert asked(script) is None


def test_a_child_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(sys.modules["uml_core.host.ggml.probe"], "LIMIT_S", 1.0)
    assert asked(BUFFERS, "time.sleep(60)") is None


def test_a_program_that_is_not_there():
    assert probe(("/nowhere/python",), env=os.environ, said="") is None
