"""One look at what a worker holds, kind by kind and device by device."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from uml_core.host.device_memory import DeviceMemory, held_on_each
from uml_core.host.devices import find_devices
from uml_core.host.mappings import MappedMemory, measure_mappings
from uml_core.host.memory import measure_tree, resident_bytes
from uml_core.host.nvml import Devices
from uml_core.supervisor.by_kind import Seen
from uml_core.types import HOST, Device

if TYPE_CHECKING:
    from uml_core.supervisor.running import RunningWorker


@frozen(kw_only=True)
class Sight:
    """What was ``seen``, and which ``devices`` there are; of a machine whose devices can't be asked there are none."""

    seen: Seen
    devices: tuple[Device, ...] = ()


async def look(worker: RunningWorker, devices: Devices) -> Sight | None:
    """Look at *worker*, which goes on with its work meanwhile; None if it ended, or the system doesn't say enough."""
    pids, files = worker.process.tree(), worker.plan.model.files
    memory, now = await asyncio.gather(asyncio.to_thread(measure_mappings, pids, files), devices.read())
    memory = memory or await asyncio.to_thread(_whole, pids, mapped=worker.plan.placement.mapped)
    known = await asyncio.to_thread(lambda: find_devices().devices) if now and worker.devices_before else ()
    # A process that is dying has no memory any more some time before its end is known: what was seen may be a part.
    alive = await asyncio.to_thread(resident_bytes, pids[:1])
    if memory is None or not alive or worker.process.exited.done():
        return None
    held = _by_id(worker.devices_before, now, pids, known) if now and worker.devices_before else {}
    seen = Seen(memory=memory, overhead_bytes=worker.overhead_bytes, told=dict(worker.told_bytes), on_devices=held)
    return Sight(seen=seen, devices=known)


def _whole(pids: list[int], *, mapped: bool) -> MappedMemory | None:
    """Where no list of mappings is kept (macOS, Windows): only weights that are read can be told from files."""
    tree = measure_tree(pids)
    return None if mapped or not tree.pids else MappedMemory(private_bytes=tree.private_bytes)


def _by_id(before: DeviceMemory, now: DeviceMemory, pids: list[int], known: tuple[Device, ...]) -> Mapping[str, int]:
    held = held_on_each(before, now, pids)
    return {device.id: held[device.uuid] for device in known if held.get(device.uuid)}


async def freed_by_ending(worker: RunningWorker | None, devices: Devices) -> Mapping[str, int]:
    """What the end of *worker* would give back: in the machine's own memory under ``cpu``, else by a device's uuid.

    Mapped files are none of it: to the system they are a cache, which counts as free already.
    """
    if worker is None or worker.process.exited.done():
        return {}
    pids = worker.process.tree()
    tree, now = await asyncio.gather(asyncio.to_thread(measure_tree, pids), devices.read())
    on_devices = held_on_each(worker.devices_before, now, pids) if now and worker.devices_before else {}
    return {HOST: tree.private_bytes, **{uuid: held for uuid, held in on_devices.items() if held}}
