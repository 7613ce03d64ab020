"""Whether the end of a process gives its device memory back, how that is known, and how soon.

    python benchmarks/gpu/release.py [--cycles 20] [--mib 512] [--device 0]

Each cycle starts a process that takes memory of the device, kills it, and reads the driver until the memory is back.
In every second cycle another process takes memory meanwhile, and keeps it. The same readings are judged twice: by the
driver's rows of the process, and as where it lists no process at all (a container, WDDM), by the device alone.

Needs an NVIDIA driver and a Python with attrs, psutil and nvidia-ml-py; uml-core is installed, or its sources are on
the path: `PYTHONPATH=uml-core/src python benchmarks/gpu/release.py`. Ends with 1 if anything was not given back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from uml_core.host.nvml import DeviceMemory, DeviceRelease, Devices, released

ALLOCATE = Path(__file__).with_name("allocate.py")
MIB = 1 << 20
LIMIT_S = 5.0
PAUSE_S = 0.01


@attrs.frozen
class Cycle:
    """One process's end: judged by rows, by the device alone, and the seconds until each said that all is back."""

    by_rows: DeviceRelease
    by_device: DeviceRelease
    rows_s: float | None
    device_s: float | None
    others: bool


def start(mib: int, device: int) -> subprocess.Popen[str]:
    """A process that has *mib* of the device when this returns."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(ALLOCATE), str(mib), str(device)], stdin=pipe, stdout=pipe, text=True
    )
    assert process.stdout
    answer = json.loads(process.stdout.readline() or '{"error": "it ended"}')
    if "error" in answer:
        raise SystemExit(f"can't take {mib} MiB of device {device}: {answer['error']}")
    return process


def without_rows(reading: DeviceMemory) -> DeviceMemory:
    """What a driver would say that tells nothing of processes."""
    return DeviceMemory(devices=tuple(attrs.evolve(device, processes=None) for device in reading.devices))


async def read(devices: Devices) -> DeviceMemory:
    reading = await devices.read()
    if reading is None:
        raise SystemExit(f"no reading: {devices.problem or 'no NVIDIA driver'}")
    return reading


async def cycle(devices: Devices, *, mib: int, device: int, others: list[subprocess.Popen[str]] | None) -> Cycle:
    before_load = await read(devices)
    process = start(mib, device)
    before_end = await read(devices)
    if others is not None:
        others.append(start(mib // 2, device))
    pids = {process.pid}
    begin = time.perf_counter()
    process.kill()
    process.communicate()
    rows_s = device_s = None
    while True:
        after = await read(devices)
        by_rows = released(before_load, before_end, after, pids)
        hidden = [without_rows(reading) for reading in (before_load, before_end, after)]
        by_device = released(hidden[0], hidden[1], hidden[2], pids)
        seconds = time.perf_counter() - begin
        rows_s = seconds if rows_s is None and by_rows.rows_gone else rows_s
        device_s = seconds if device_s is None and not by_device.unattributed_bytes else device_s
        if seconds > LIMIT_S or (rows_s and (device_s or others is not None)):
            return Cycle(by_rows, by_device, rows_s, device_s, others is not None)
        await asyncio.sleep(PAUSE_S)


def row(number: int, cycle: Cycle) -> str:
    def told(release: DeviceRelease, seconds: float | None) -> str:
        sizes = (release.expected_bytes, release.freed_bytes, release.unattributed_bytes)
        return " | ".join(
            [*(f"{size / MIB:.0f}" for size in sizes), "-" if seconds is None else f"{seconds * 1e3:.0f}"]
        )

    meanwhile = "another grows" if cycle.others else ""
    return f"| {number} | {told(cycle.by_rows, cycle.rows_s)} | {told(cycle.by_device, cycle.device_s)} | {meanwhile} |"


def summary(cycles: Sequence[Cycle]) -> bool:
    """Print it, and say whether all was given back: by rows in each cycle, by the device in each undisturbed one."""
    rows = sorted(cycle.rows_s for cycle in cycles if cycle.rows_s is not None)
    if rows:
        print(f"\nrows gone after p50 {statistics.median(rows) * 1e3:.0f} ms, most {rows[-1] * 1e3:.0f} ms", end="; ")
    back = [cycle for cycle in cycles if cycle.by_rows.rows_gone and not cycle.by_rows.unattributed_bytes]
    quiet = [cycle for cycle in cycles if not cycle.others]
    alone = [cycle for cycle in quiet if cycle.by_device.expected_bytes and not cycle.by_device.unattributed_bytes]
    print(f"{len(back)} of {len(cycles)} proven by rows, {len(alone)} of {len(quiet)} by the device alone")
    return len(back) == len(cycles) and len(alone) == len(quiet)


async def surroundings(devices: Devices) -> None:
    """The machine, what its driver lists, and how long it takes to ask."""
    begin = time.perf_counter()
    first = await read(devices)
    first_s = time.perf_counter() - begin
    await read(devices)
    next_s = time.perf_counter() - begin - first_s
    namespace = Path("/proc/self/ns/pid")
    print(
        platform.platform(), f"Python {platform.python_version()}", namespace.readlink() if namespace.exists() else ""
    )
    for device in first.devices:
        rows = "no rows" if device.processes is None else f"{len(device.processes)} rows"
        sizes = f"{device.used_bytes / MIB:.0f} of {device.total_bytes / MIB:.0f} MiB used"
        print(f"{device.index}: {device.name}, {sizes}, {rows} of processes")
    print(f"first reading {first_s * 1e3:.0f} ms, the next {next_s * 1e3:.1f} ms\n")


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--device", type=int, default=0)
    asked = parser.parse_args()
    devices = Devices()
    others: list[subprocess.Popen[str]] = []
    cycles: list[Cycle] = []
    try:
        await surroundings(devices)
        print(
            "| | by rows: expected MiB | freed | unattributed | ms | by device: expected | freed | unattributed | ms ||"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        for number in range(1, asked.cycles + 1):
            grows = others if number % 2 == 0 else None
            cycles.append(await cycle(devices, mib=asked.mib, device=asked.device, others=grows))
            print(row(number, cycles[-1]), flush=True)
    finally:
        for process in others:
            process.communicate()
        await devices.close()
    return 0 if summary(cycles) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
