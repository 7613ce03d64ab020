"""What a worker holds."""

from __future__ import annotations

import asyncio

import psutil

from uml_core.host.memory import measure_tree
from uml_core.host.nvml import Devices, has_driver


def tree_of(pid: int) -> list[int]:
    """*pid* and all that it has started; empty when it is gone."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def held_memory(pid: int) -> tuple[int | None, int | None]:
    """Bytes in this machine's memory, mapped files included, and bytes on devices, None where nobody tells."""
    pids = tree_of(pid)
    held = measure_tree(pids)
    return held.private_bytes + held.shared_bytes or None, asyncio.run(_on_devices(pids)) if has_driver() else None


async def _on_devices(pids: list[int]) -> int | None:
    devices = Devices()
    try:
        memory = await devices.read()
    finally:
        await devices.close()
    return sum(device.held_by(pids) for device in memory.devices) if memory and memory.lists(pids) else None
