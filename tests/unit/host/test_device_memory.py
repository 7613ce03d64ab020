"""What a worker's end gave back, told from readings as drivers give them; sizes in MiB."""

from __future__ import annotations

import pytest

from uml_core.host.nvml import DeviceMemory, DeviceRelease, DeviceUse, held_bytes, released

MIB = 1 << 20
TOTAL = 24_000
WORKER, HELPER, DESKTOP, GAME = 4242, 4243, 900, 5000
TREE = {WORKER, HELPER}


def use(used, rows=None, *, index=0):
    return DeviceUse(
        index=index,
        uuid=f"GPU-{index}",
        name="a device",
        total_bytes=TOTAL * MIB,
        used_bytes=used * MIB,
        processes=None if rows is None else {pid: held * MIB for pid, held in rows.items()},
    )


def seen(*devices):
    return DeviceMemory(devices=devices)


def gave(freed, expected, unattributed, *, gone):
    return DeviceRelease(
        freed_bytes=freed * MIB,
        expected_bytes=expected * MIB,
        unattributed_bytes=unattributed * MIB,
        rows_gone=gone,
    )


BEFORE = seen(use(600, {DESKTOP: 500}))
LOADED = seen(use(8700, {DESKTOP: 500, WORKER: 8000}))

BY_ROWS = {
    "all is back": (BEFORE, LOADED, seen(use(600, {DESKTOP: 500})), gave(8000, 8000, 0, gone=True)),
    "the rows are still there": (BEFORE, LOADED, LOADED, gave(0, 8000, 8000, gone=False)),
    "a child of it holds on": (
        BEFORE,
        seen(use(8700, {WORKER: 7000, HELPER: 1000})),
        seen(use(1700, {HELPER: 1000})),
        gave(7000, 8000, 1000, gone=False),
    ),
    "another process has grown": (
        BEFORE,
        LOADED,
        seen(use(5600, {DESKTOP: 500, GAME: 5000})),
        gave(8000, 8000, 0, gone=True),
    ),
    "two devices": (
        seen(use(100, {}), use(100, {}, index=1)),
        seen(use(6100, {WORKER: 5900}), use(3100, {WORKER: 2900}, index=1)),
        seen(use(100, {}), use(3100, {WORKER: 2900}, index=1)),
        gave(5900, 8800, 2900, gone=False),
    ),
    "a second device that says nothing of processes": (
        seen(use(100, {}), use(100, index=1)),
        seen(use(6100, {WORKER: 5900}), use(3100, index=1)),
        seen(use(100, {}), use(100, index=1)),
        gave(8900, 8900, 0, gone=True),
    ),
    "a second device that only others use": (
        seen(use(100, {}), use(100, {}, index=1)),
        seen(use(6100, {WORKER: 5900}), use(3100, {GAME: 2900}, index=1)),
        seen(use(100, {}), use(3100, {GAME: 2900}, index=1)),
        gave(5900, 5900, 0, gone=True),
    ),
    "a device that shares the machine's memory": (
        seen(use(0, {})),
        seen(use(0, {WORKER: 5900})),
        seen(use(0, {})),
        gave(5900, 5900, 0, gone=True),
    ),
    "the device has fallen off the bus": (BEFORE, LOADED, seen(), gave(0, 8000, 8000, gone=False)),
}

BY_DEVICE = {
    "WDDM: no bytes of any process": (seen(use(600)), seen(use(8700)), seen(use(600)), gave(8100, 8100, 0, gone=False)),
    "a container: nobody is listed": (
        seen(use(600, {})),
        seen(use(8700, {})),
        seen(use(600, {})),
        gave(8100, 8100, 0, gone=False),
    ),
    "a container: the machine's pids are listed": (
        seen(use(600, {77: 500})),
        seen(use(8700, {77: 500, 31_000: 8100})),
        seen(use(600, {77: 500})),
        gave(8100, 8100, 0, gone=False),
    ),
    "one of the machine's pids has our number": (
        seen(use(600, {WORKER: 500})),
        seen(use(8700, {WORKER: 500, 31_000: 8100})),
        seen(use(600, {WORKER: 500})),
        gave(8100, 8100, 0, gone=False),
    ),
    "a part is still taken": (seen(use(600)), seen(use(8700)), seen(use(1700)), gave(7000, 8100, 1100, gone=False)),
    "others have grown, and are not seen": (
        seen(use(600)),
        seen(use(8700)),
        seen(use(12_600)),
        gave(0, 8100, 8100, gone=False),
    ),
    "others have grown, and are seen": (
        seen(use(600, {GAME: 500})),
        seen(use(9700, {GAME: 1500})),
        seen(use(3600, {GAME: 3500})),
        gave(8100, 8100, 0, gone=False),
    ),
    "others have shrunk": (
        seen(use(5600, {GAME: 5000})),
        seen(use(8700, {})),
        seen(use(600, {})),
        gave(3100, 3100, 0, gone=False),
    ),
    "it never used the device": (seen(use(600)), seen(use(600)), seen(use(600)), gave(0, 0, 0, gone=False)),
    "the driver's own few megabytes": (
        seen(use(600)),
        seen(use(8700)),
        seen(use(616)),
        gave(8100, 8100, 0, gone=False),
    ),
    "a device came while it ran": (
        seen(use(600)),
        seen(use(8700), use(900, index=1)),
        seen(use(600), use(900, index=1)),
        gave(8100, 8100, 0, gone=False),
    ),
    "two devices": (
        seen(use(100, {}), use(100, {}, index=1)),
        seen(use(6100, {}), use(3100, {}, index=1)),
        seen(use(1100, {}), use(100, {}, index=1)),
        gave(8000, 9000, 1000, gone=False),
    ),
    "no device at all": (seen(), seen(), seen(), gave(0, 0, 0, gone=False)),
}


@pytest.mark.parametrize("case", BY_ROWS)
def test_where_the_driver_lists_the_worker_its_rows_are_the_proof(case):
    before_load, before_end, after, release = BY_ROWS[case]
    assert released(before_load, before_end, after, TREE) == release


@pytest.mark.parametrize("case", BY_DEVICE)
def test_where_it_does_not_the_device_is_back_at_its_value(case):
    before_load, before_end, after, release = BY_DEVICE[case]
    assert released(before_load, before_end, after, TREE) == release


@pytest.mark.parametrize("case", [*BY_ROWS.values(), *BY_DEVICE.values()])
def test_nothing_is_ever_negative_and_the_sum_is_right(case):
    before_load, before_end, after, _ = case
    for readings in (
        (before_load, before_end, after),
        (after, before_end, before_load),
        (before_end, after, before_load),
    ):
        release = released(*readings, TREE)
        assert release.freed_bytes >= 0
        assert release.unattributed_bytes >= 0
        assert release.freed_bytes + release.unattributed_bytes == release.expected_bytes


@pytest.mark.parametrize(
    ("before_load", "now", "held"),
    [
        (BEFORE, LOADED, 8000),
        (seen(use(600)), seen(use(8700)), 8100),
        (seen(use(600, {})), seen(use(8700, {31_000: 8100})), 8100),  # ours under the machine's number
        (seen(use(600, {})), seen(use(8700, {GAME: 8100})), 0),
        (seen(use(600, {})), seen(use(8700, {GAME: 3000})), 5100),
        (seen(use(600)), seen(use(300)), 0),
    ],
)
def test_what_a_worker_holds(before_load, now, held):
    assert held_bytes(before_load, now, TREE, exists=lambda pid: pid in {GAME, DESKTOP}) == held * MIB
