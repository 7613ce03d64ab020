"""The proof that a worker is gone, and what its end gave back: promise 2 of the design."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from uml_core.host.device_memory import DeviceMemory, released
from uml_core.host.memory import TreeMemory, measure_tree
from uml_core.host.nvml import Devices
from uml_core.supervisor import endpoint, lock
from uml_core.supervisor.process import marked
from uml_core.types import Release

if TYPE_CHECKING:
    from uml_core.supervisor.running import RunningWorker

VERIFY_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25


@frozen(kw_only=True)
class Held:
    """What a worker held when its end began, as the system counts it."""

    memory: TreeMemory | None = None
    devices: DeviceMemory | None = None
    pids: frozenset[int] = field(factory=frozenset)


async def measure(worker: RunningWorker, devices: Devices) -> Held:
    """Look at what *worker* holds now; of one that is gone already, what it was last seen to hold."""
    if worker.process.exited.done():
        return Held(devices=worker.devices_seen, pids=worker.pids_seen)
    pids = worker.process.tree()
    memory, on_devices = await asyncio.gather(asyncio.to_thread(measure_tree, pids), devices.read())
    return Held(memory=memory if memory.pids else None, devices=on_devices, pids=frozenset(pids))


async def prove(
    worker: RunningWorker,
    held: Held,
    lock_path: Path,
    *,
    devices: Devices,
    since_s: float,
    limit_s: float | None = None,
) -> Release:
    """Look until nothing of *worker* is left, for at most 5 s.

    Processes, lock and port are proof. Device memory that stays taken though nobody can be seen to hold it is reported
    as unattributed, and is no reason to doubt the rest.

    :param held: what it held before its end
    :param since_s: the loop's time when the end began
    :param limit_s: how long to look instead
    """
    loop = asyncio.get_running_loop()
    deadline, pause_s = loop.time() + (VERIFY_S if limit_s is None else limit_s), FIRST_PAUSE_S
    while True:
        release = await _look(worker, held, lock_path, devices=devices, seconds=loop.time() - since_s)
        settled = release.proven and not release.unattributed_bytes
        if settled or loop.time() > deadline:
            return release
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _look(worker: RunningWorker, held: Held, lock_path: Path, *, devices: Devices, seconds: float) -> Release:
    leftover = await asyncio.to_thread(_survivors, worker.launch.launch_id)
    private_bytes = held.memory.private_bytes if held.memory else worker.private_bytes
    after = await devices.read() if held.devices else None
    on_devices = None
    if worker.devices_before and held.devices and after:
        on_devices = released(worker.devices_before, held.devices, after, set(held.pids))
    freed_bytes = private_bytes if not leftover else 0
    return Release(
        model_id=worker.plan.model_id,
        generation=worker.launch.generation,
        freed_bytes=freed_bytes + (on_devices.freed_bytes if on_devices else 0),
        expected_bytes=private_bytes + (on_devices.expected_bytes if on_devices else 0),
        unattributed_bytes=on_devices.unattributed_bytes if on_devices else 0,
        leftover_pids=tuple(leftover),
        lock_free=lock.is_free(lock_path),
        port_free=_is_let_go(worker, leftover),
        devices_known=held.devices is None or on_devices is not None,
        seconds=round(seconds, 4),
    )


def _is_let_go(worker: RunningWorker, leftover: list[int]) -> bool:
    """Whether nothing of ours listens on the worker's port; by now it may well be somebody else's."""
    host, port = worker.launch.host, worker.launch.port
    return endpoint.is_free(host, port) or not endpoint.listens([os.getpid(), *leftover], port)


def _survivors(launch_id: str) -> list[int]:
    return sorted(process.pid for process in marked(launch_id))
