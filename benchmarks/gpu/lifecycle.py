"""The lifecycle with real device memory: is every release proven, and how soon?

    python benchmarks/gpu/lifecycle.py [--cycles 10] [--mib 4096]

A real supervisor starts real worker processes; only their engine is a script, which takes so much memory of the device
and answers. Loads, switches, a failed switch with its way back, a cancelled load and `kill -9` of the worker, each
many times; after each the device has to be as it was.

Needs an NVIDIA driver, and uml-core with its dependencies. Ends with 1 if a release was not proven, or a switch lost.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import statistics
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path

from uml_core import API_VERSION, hookimpl, plugins
from uml_core.errors import UMLError
from uml_core.host.nvml import Devices
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.supervisor import Supervisor
from uml_core.tasks import plugin as tasks
from uml_core.testing import FakeBackend, write_fake_model
from uml_core.types import JobStatus, LoadRequest, ModelStore, Release, StoredModel

MIB = 1 << 20


class Models:
    """The store of the scripted models."""

    uml_api_version = API_VERSION

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @hookimpl
    def uml_model_stores(self) -> Iterator[ModelStore]:
        yield ModelStore(name="bench", list=lambda: [self.entry(path) for path in sorted(self.folder.iterdir())])

    def entry(self, path: Path) -> StoredModel:
        return StoredModel(id=path.stem, path=path, size_bytes=path.stat().st_size, store="bench")


async def used(devices: Devices) -> int:
    reading = await devices.read()
    return sum(device.used_bytes for device in reading.devices) if reading else 0


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--mib", type=int, default=4096)
    arguments = parser.parse_args()
    size = arguments.mib * MIB
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        for model, script in {
            "a": {"device_bytes": size},
            "b": {"device_bytes": size},
            "bad": {"device_bytes": size, "load_exit": 9, "load_fault_after_s": 0.3},
            "slow": {"device_bytes": size, "load_s": 60},
        }.items():
            write_fake_model(folder / "models" / f"{model}.fake", ready_timeout_s=90.0, **script)
        settings = Settings(data_dir=folder / "data")
        loaded = plugins.load(
            builtins={"fake": FakeBackend(), "models": Models(folder / "models"), "tasks": tasks}, entry_points=()
        )
        registry = Registry(loaded.stores(), loaded.formats(), settings)
        devices = Devices()
        reading = await devices.read()
        if reading is None:
            print(f"no reading of an NVIDIA device: {devices.problem or 'no driver here'}")
            return 1
        print(f"{platform.node()}: " + ", ".join(device.name for device in reading.devices))
        async with Supervisor(loaded, Planner(loaded, registry, settings), settings) as supervisor:
            failed = await measure(supervisor, devices, arguments.cycles, size)
        await devices.close()
    return failed


async def measure(supervisor: Supervisor, devices: Devices, cycles: int, size: int) -> int:
    before, rows, wrong = await used(devices), {}, 0

    def note(what: str, release: Release | None, seconds: float, *, ok: bool) -> None:
        nonlocal wrong
        rows.setdefault(what, []).append((release, seconds, ok))
        wrong += not ok

    async def timed(work: Awaitable[JobStatus]) -> tuple[JobStatus, float]:
        began = time.perf_counter()
        try:
            job = await work
        except UMLError as error:
            job = error.job
        return job, time.perf_counter() - began

    for _ in range(cycles):
        job, seconds = await timed(supervisor.load(LoadRequest(model="a")))
        holds = await used(devices) - before
        note("load", job.release, seconds, ok=job.switched and holds >= size)
        job, seconds = await timed(supervisor.load(LoadRequest(model="b")))
        note("switch", job.release, seconds, ok=job.switched and proven(job.release, size))
        job, seconds = await timed(supervisor.load(LoadRequest(model="bad")))
        note("failed switch, rolled back", job.release, seconds, ok=job.rolled_back and proven(job.release, size))
        slow = await supervisor.submit(LoadRequest(model="slow"))
        while (active := supervisor.active()) is None or active.plan.model_id != "slow" or active.state != "loading":
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        job, seconds = await timed(supervisor.cancel(slow.id))
        note("cancelled load, rolled back", job.release, seconds, ok=job.rolled_back)
        active = supervisor.active()
        began = time.perf_counter()
        os.kill(active.pid, signal.SIGKILL)
        while (now := supervisor.active()) is None or now.generation == active.generation or now.state != "ready":
            await asyncio.sleep(0.005)
        restart = next(job for job in supervisor.jobs() if job.kind == "restart")
        restart = await supervisor.wait(restart.id)
        note("kill -9, restarted", restart.release, time.perf_counter() - began, ok=restart.release.proven)
        job, seconds = await timed(supervisor.unload())
        left = await used(devices) - before
        note("unload", job.release, seconds, ok=proven(job.release, size) and left < 16 * MIB)
    table(rows)
    return 1 if wrong else 0


def proven(release: Release | None, size: int) -> bool:
    return release is not None and release.proven and release.devices_known and release.freed_bytes >= size


def table(rows: dict[str, list[tuple[Release | None, float, bool]]]) -> None:
    print("| | as it should be | seconds p50 (most) | proven after p50 (most) | freed of expected | unattributed |")
    print("|---|---|---|---|---|---|")
    for what, cases in rows.items():
        seconds = [case[1] for case in cases]
        releases = [case[0] for case in cases if case[0] is not None]
        proof = [release.seconds for release in releases]
        freed = sum(release.freed_bytes for release in releases) / MIB
        expected = sum(release.expected_bytes for release in releases) / MIB
        loose = sum(release.unattributed_bytes for release in releases) / MIB
        shown = f"{statistics.median(proof):.3f} ({max(proof):.3f})" if proof else "-"
        print(
            f"| {what} | {sum(case[2] for case in cases)} of {len(cases)} | {statistics.median(seconds):.2f} "
            f"({max(seconds):.2f}) | {shown} | {freed:.0f} of {expected:.0f} MiB | {loose:.0f} MiB |"
        )


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
