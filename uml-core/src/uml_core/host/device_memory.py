"""What devices hold, for whom, and whether a worker's end gave it back.

The driver says who holds how much only where it can: not under Windows' WDDM, and in a container an older one may list
nobody, or pids of the machine, which are no pids here (580 lists the asker's own pid namespace). Then only the device
as a whole tells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import psutil
from attrs import frozen

NOISE_BYTES = 16 << 20
"""What a device's total moves by itself: the driver's own books for contexts that come and go."""


@frozen(kw_only=True)
class DeviceUse:
    """One device at one moment, in bytes.

    ``total_bytes`` and ``used_bytes`` are 0 where it shares the machine's memory. ``processes`` are the driver's rows:
    bytes of each pid, None where it doesn't say how much each holds.
    """

    index: int
    uuid: str
    name: str
    total_bytes: int
    used_bytes: int
    processes: Mapping[int, int] | None = None

    def held_by(self, pids: Collection[int]) -> int:
        """Bytes in the rows of *pids*."""
        return sum(held for pid, held in (self.processes or {}).items() if pid in pids)


@frozen(kw_only=True)
class DeviceMemory:
    """Every device of this machine at one moment."""

    devices: tuple[DeviceUse, ...] = ()

    def find(self, uuid: str) -> DeviceUse | None:
        """The device with that id; None if it isn't there (any more)."""
        return next((device for device in self.devices if device.uuid == uuid), None)

    def lists(self, pids: Collection[int]) -> bool:
        """Whether any device has a row of one of *pids*."""
        return any(pid in pids for device in self.devices for pid in device.processes or ())


@frozen(kw_only=True)
class DeviceRelease:
    """What the end of some processes gave back, in bytes: ``expected`` is ``freed`` and ``unattributed``.

    ``rows_gone``: the driver listed the processes and does no more, which is proof. It is false, too, where the driver
    never listed them; then all the proof there is lies in nothing being unattributed: the device is as it was before.
    """

    freed_bytes: int
    expected_bytes: int
    unattributed_bytes: int
    rows_gone: bool


def held_bytes(
    before_load: DeviceMemory,
    now: DeviceMemory,
    pids: Collection[int],
    *,
    exists: Callable[[int], bool] = psutil.pid_exists,
) -> int:
    """Device memory that *pids* hold on all devices, see :func:`held_on_each`."""
    return sum(held_on_each(before_load, now, pids, exists=exists).values())


def held_on_each(
    before_load: DeviceMemory,
    now: DeviceMemory,
    pids: Collection[int],
    *,
    exists: Callable[[int], bool] = psutil.pid_exists,
) -> Mapping[str, int]:
    """What *pids* hold on each device, by its uuid: their rows, or else what it has gained since *before_load*.

    A gain is without what other processes of this machine gained by their rows, and none below 16 MiB.

    :param exists: tells a process of this machine from a pid of the world around a container, which may be our own
    """
    told, held = _tells(before_load, now, pids), {}
    for device in now.devices:
        others = {pid for pid in device.processes or () if pid not in pids and exists(pid)}
        by_row = told and device.processes is not None
        held[device.uuid] = device.held_by(pids) if by_row else _gain(before_load, device, others)
    return held


def released(
    before_load: DeviceMemory, before_end: DeviceMemory, after: DeviceMemory, pids: Collection[int]
) -> DeviceRelease:
    """Say what the end of *pids* gave back, by their rows where the driver lists them, else by what the devices gained.

    A gain is without what pids that outlived *pids* gained by their rows, and none below 16 MiB.

    :param before_load: the devices before the processes were started
    :param before_end: the devices when the processes held all they had
    :param after: the devices now; one that is missing has given nothing back
    """
    told, expected_bytes, left_bytes = _tells(before_load, before_end, pids), 0, 0
    pairs = [(device, after.find(device.uuid) or device) for device in before_end.devices]
    for device, now in pairs:
        if told and device.processes is not None:
            held, left = device.held_by(pids), now.held_by(pids)
        else:
            others = set(now.processes or ()).difference(pids)
            held, left = _gain(before_load, device, others), _gain(before_load, now, others)
        expected_bytes += held
        left_bytes += min(left, held)
    return DeviceRelease(
        freed_bytes=expected_bytes - left_bytes,
        expected_bytes=expected_bytes,
        unattributed_bytes=left_bytes,
        rows_gone=told and not DeviceMemory(devices=tuple(now for _, now in pairs)).lists(pids),
    )


def _tells(before_load: DeviceMemory, now: DeviceMemory, pids: Collection[int]) -> bool:
    # A row from before the processes were there is a pid of the world around a container, the same number by chance.
    return now.lists(pids) and not before_load.lists(pids)


def _gain(before_load: DeviceMemory, now: DeviceUse, others: Collection[int]) -> int:
    before = before_load.find(now.uuid)
    if before is None:
        return 0
    known, rows = before.processes or {}, now.processes or {}
    gained = now.used_bytes - before.used_bytes - sum(max(0, rows.get(pid, 0) - known.get(pid, 0)) for pid in others)
    return gained if gained > NOISE_BYTES else 0
