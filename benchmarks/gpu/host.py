"""What the probe says of a machine with NVIDIA's devices, and whether it is true.

    python benchmarks/gpu/host.py [--mib 1024]

Prints the machine as planning sees it and how long that took. Then another process takes memory of each device, by the
number that CUDA gives it, and the probe must name that process, with its bytes, at the device of that number, and at no
other. The same with devices hidden and turned around by ``CUDA_VISIBLE_DEVICES``. Ends with 1 if something wasn't so.

Needs an NVIDIA driver, and uml-core with its dependencies.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uml_core.host import probe_host
from uml_core.host.devices.child import ask
from uml_core.host.devices.cuda_order import Order
from uml_core.host.devices.finder import Finder
from uml_core.host.devices.sources import sources
from uml_core.types import Device

ALLOCATE = Path(__file__).with_name("allocate.py")
MIB = 1 << 20


@contextmanager
def holding(mib: int, number: int, environment: dict[str, str]) -> Iterator[int]:
    """Another process that holds so much of the device that CUDA calls *number* there; its pid."""
    command = [sys.executable, "-I", "-S", str(ALLOCATE), str(mib), str(number)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **environment}) as process:
        assert process.stdout
        answer = json.loads(process.stdout.readline())
        if "error" in answer:
            raise SystemExit(f"no memory of device {number} to take: {answer['error']}")
        yield process.pid
        process.communicate()


def looked(environment: dict[str, str]) -> list[Device]:
    (answer,) = ask(["cuda"], environment=environment)
    if answer.problem:
        raise SystemExit(answer.problem)
    return list(answer.devices)


def machine() -> list[Device]:
    print(f"sources: {', '.join(sources()) or 'none'}")
    begin = time.perf_counter()
    host = probe_host(holders=True)
    print(f"first look: {time.perf_counter() - begin:.2f} s")
    for name in ("platform", "processor", "physical_cores", "logical_cores", "numa_nodes", "limited"):
        print(f"  {name}: {getattr(host, name)}")
    print(f"  isa: {' '.join(host.isa)}")
    print(f"  memory: {host.free_memory_bytes / 1e9:.1f} GB free of {host.memory_bytes / 1e9:.1f} GB")
    for holder in host.holders:
        print(f"    held by {holder.name} ({holder.pid}): {holder.held_bytes / 1e9:.2f} GB")
    for device in host.devices:
        show(device)
    finder = Finder()
    for problem in finder.find().problems:
        print(f"  problem: {problem}")
    return list(host.devices)


def show(device: Device) -> None:
    print(
        f"  {device.id}: {device.name}, {device.free_bytes / 1e9:.1f} GB free of {device.total_bytes / 1e9:.1f} GB, "
        f"capability {device.capability}, driver {device.driver}, runtime {device.runtime}, {device.bus}, "
        f"{device.uuid}, unified={device.unified}, display={device.display}, unseen {device.unseen_bytes / 1e6:.0f} MB"
        + (f", PROBLEM: {device.problem}" if device.problem else "")
    )
    for holder in device.holders:
        print(f"    held by {holder.name} ({holder.pid}): {holder.held_bytes / 1e6:.0f} MB")


def times() -> None:
    order = Order()
    for label in ("asking CUDA for its order", "with the order known", "with the order known"):
        begin = time.perf_counter()
        answers = ask(["cuda"], environment=order.environment())
        print(f"one look, {label}: {time.perf_counter() - begin:.2f} s")
        order.learn(answers)


def others(mib: int, environment: dict[str, str]) -> Iterator[bool]:
    """Whether the memory that another process takes of each device is seen there, with its name, and nowhere else."""
    said = environment.get("CUDA_VISIBLE_DEVICES", "(not set)")
    before = looked(environment)
    print(f"CUDA_VISIBLE_DEVICES={said}: {', '.join(f'{one.id} {one.uuid}' for one in before) or 'no device'}")
    for number, was in enumerate(before):
        with holding(mib, number, environment) as pid:
            now = looked(environment)
        gained = [(was.free_bytes - one.free_bytes) / MIB for was, one in zip(before, now, strict=True)]
        named = {
            one.id: (holder.name, holder.held_bytes / MIB) for one in now for holder in one.holders if holder.pid == pid
        }
        seen = list(named) == [was.id] and named[was.id][1] >= mib
        taken = gained[number] >= mib and all(abs(gain) < mib / 2 for at, gain in enumerate(gained) if at != number)
        unnamed = (now[number].unseen_bytes - was.unseen_bytes) / MIB
        held = ", ".join(f"{id} {name} {size:.0f} MiB" for id, (name, size) in named.items()) or "nobody named"
        print(
            f"  {mib} MiB taken of CUDA's device {number}: {was.id} lost {gained[number]:.0f} MiB; {held}; "
            f"unseen {unnamed:+.0f} MiB: {'well' if seen and taken else 'WRONG'}"
        )
        yield seen and taken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    mib = parser.parse_args().mib
    devices = [device for device in machine() if device.kind == "cuda" and not device.problem]
    if not devices:
        print("no device of NVIDIA's that can be used")
        return 1
    times()
    uuids = [device.uuid for device in devices]
    variables: list[dict[str, str]] = [{}, {"CUDA_VISIBLE_DEVICES": uuids[-1]}, {"CUDA_VISIBLE_DEVICES": ""}]
    if len(devices) > 1:
        variables += [{"CUDA_VISIBLE_DEVICES": "1,0"}, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}]
    well = [one for environment in variables for one in others(mib, environment)]
    print(f"{sum(well)} of {len(well)} well")
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
