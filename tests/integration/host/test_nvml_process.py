"""The side process: real processes that answer, hang, die or talk nonsense, as the driver would make them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from uml_core.host.nvml import PROBE, Devices, DeviceUse, has_driver

GIB = 1 << 30
ANSWER = {"index": 0, "uuid": "GPU-1", "name": "A", "total": 24 * GIB, "used": 5 * GIB, "processes": {"7": 4 * GIB}}
FAKE_LIBRARY = """
import types
class NVMLError(Exception): ...
nvmlMemory_v2 = 1
def nvmlInit(): ...
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetUUID(device): return "GPU-1"
def nvmlDeviceGetName(device): return "A"
def nvmlDeviceGetMemoryInfo(device, version=None): return types.SimpleNamespace(total=24 << 30, used=5 << 30)
def nvmlDeviceGetComputeRunningProcesses(device): return [types.SimpleNamespace(pid=7, usedGpuMemory=4 << 30)]
def nvmlDeviceGetGraphicsRunningProcesses(device): return []
"""


@pytest.fixture
async def devices(tmp_path):
    """Make a reader of a scripted side process: `answer(**facts)` answers, `count` counts the questions."""
    made = []

    def make(body, **limits):
        script = tmp_path / f"probe{len(made)}.py"
        script.write_text(
            "import json, os, sys, time\n"
            "def answer(**facts): print(json.dumps({'id': count, **facts}), flush=True)\n"
            "for line in sys.stdin:\n    count = int(line)\n" + textwrap.indent(textwrap.dedent(body), "    ")
        )
        usual = {"answer_s": 0.5, "start_s": 10.0, "pause_s": 0.0, **limits}
        made.append(Devices(command=(sys.executable, "-I", "-S", str(script)), present=lambda: True, **usual))
        return made[-1]

    yield make
    for one in made:
        await one.close()
    left = [child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]
    assert left == []


async def test_without_a_driver_it_costs_nothing():
    devices = Devices(command=("/no/such/program",), present=lambda: False)
    assert await devices.read() is None
    assert (devices.hung, devices.problem) == (0, None)
    await devices.close()


async def test_a_reading(devices):
    reader = devices(f"answer(devices=[{ANSWER}])")
    first, second = await reader.read(), await reader.read()
    assert first == second
    assert first.devices == (
        DeviceUse(
            index=0,
            uuid="GPU-1",
            name="A",
            total_bytes=24 * GIB,
            used_bytes=5 * GIB,
            processes={7: 4 * GIB},
        ),
    )


async def test_many_devices_with_many_processes(devices):
    rows = {str(pid): pid for pid in range(4_190_000, 4_190_500)}
    reader = devices(f"answer(devices=[{ {**ANSWER, 'processes': rows} }] * 16)")
    assert len((await reader.read()).devices) == 16


async def test_one_process_answers_all_questions_in_turn(devices):
    reader = devices("answer(devices=[])")
    readings = await asyncio.gather(*(reader.read() for _ in range(20)))
    assert None not in readings
    assert reader._asked == 20


async def test_it_is_killed_when_it_hangs_and_asked_again_after_a_pause(devices):
    reader = devices("if count == 2: time.sleep(60)\nanswer(devices=[])", pause_s=0.3)
    assert await reader.read() is not None
    hanging, begin = reader._process, time.monotonic()
    assert await reader.read() is None
    assert time.monotonic() - begin < 5
    assert (reader.hung, reader.problem) == (1, "NVIDIA's driver didn't answer in 0.5 seconds")
    assert hanging.returncode == -signal.SIGKILL
    assert await reader.read() is None, "it's not asked again so soon"
    assert reader._process is None
    await asyncio.sleep(0.3)
    assert await reader.read() is not None
    assert (reader.hung, reader.problem) == (1, None)


async def test_it_may_take_longer_to_start(devices):
    reader = devices("if count == 1: time.sleep(0.8)\nanswer(devices=[])")
    assert await reader.read() is not None
    assert reader.hung == 0


@pytest.mark.parametrize(
    "body",
    [
        "os._exit(3)",
        "print('hello', flush=True)",
        "answer()\nprint('[]', flush=True)\nos._exit(0)",
        "answer(devices=[{}])",
    ],
)
async def test_a_process_that_fails(devices, body):
    reader = devices(body)
    if body.startswith("answer()"):
        assert await reader.read() is not None
    assert await reader.read() is None
    assert reader.hung == 0
    assert reader.problem.startswith("the process that asks NVIDIA's driver failed: ")


async def test_a_program_that_is_not_there():
    reader = Devices(command=("/no/such/program",), present=lambda: True)
    assert await reader.read() is None
    assert "No such file" in reader.problem


async def test_what_the_driver_says_is_no_failure_of_the_process(devices):
    """Such as a library and a driver of different versions; it's asked again each time."""
    reader = devices("answer(error='Driver/library version mismatch') if count == 1 else answer(devices=[])")
    assert await reader.read() is None
    assert reader.problem == "Driver/library version mismatch"
    assert await reader.read() is not None
    assert reader.problem is None


async def test_an_answer_to_somebody_who_left_is_not_taken_for_the_next(devices):
    reader = devices("time.sleep(0.2 if count == 2 else 0)\nanswer(devices=[], count=count)")
    await reader.read()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(), 0.05)
    assert await reader.read() is not None
    assert (reader._asked, reader.hung) == (3, 0)


async def test_it_ends_with_its_parent():
    """Also when the parent is killed: the pipe's end is all it needs."""
    parent = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-P", {str(PROBE)!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"1\\n"); child.stdin.flush()
print(child.pid, child.stdout.readline().decode(), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline().split()[0])
        probe = psutil.Process(pid)
        process.kill()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [probe], timeout=5)
    assert gone


async def test_the_real_side_process_over_a_library_that_answers(tmp_path, monkeypatch):
    (tmp_path / "pynvml.py").write_text(FAKE_LIBRARY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    devices = Devices(present=lambda: True)
    reading = await devices.read()
    process = psutil.Process(devices._process.pid)
    assert process.pid != os.getpid()
    assert [(one.uuid, one.used_bytes, one.processes) for one in reading.devices] == [("GPU-1", 5 * GIB, {7: 4 * GIB})]
    await devices.close()
    assert not process.is_running()


async def test_the_real_side_process_without_a_driver():
    """It says so, and lives on."""
    if has_driver():
        pytest.skip("there is a driver here")
    devices = Devices(present=lambda: True)
    assert await devices.read() is None
    assert devices.problem == "NVML Shared Library Not Found"
    assert devices._process is not None
    await devices.close()


def test_it_says_in_one_line_what_is_wrong():
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(PROBE)], check=True, input="1\n2\n", capture_output=True, text=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": number, "error": "No module named 'pynvml'"} for number in (1, 2)
    ]
