"""What there is for a load, with what a switch frees."""

import pytest

from uml_core.planning.budgets import budgets_of
from uml_core.planning.memory_profile import PROFILES
from uml_core.types import Device, HostInfo

GB = 10**9


def budgets(*devices, freed):
    host = HostInfo(
        platform="linux", physical_cores=8, logical_cores=8, memory_bytes=16 * GB, free_memory_bytes=4 * GB,
        devices=devices,
    )  # fmt: skip
    return budgets_of(host, devices, PROFILES["cpu"], freed=freed, margin_bytes=0)


def gpu(number=0, *, unified):
    return Device(
        id=f"cuda:{number}", kind="cuda", index=number, name="A", uuid=f"u{number}", total_bytes=12 * GB,
        free_bytes=4 * GB, unified=unified,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("freed", "size_bytes"),
    [({"cpu": 5 * GB}, 9 * GB), ({"cpu": GB, "u0": 2 * GB}, 7 * GB), ({"cpu": 9 * GB}, 12 * GB)],
)
def test_what_is_freed_of_the_machines_memory_is_free_for_a_device_that_shares_it(freed, size_bytes):
    assert budgets(gpu(unified=True), freed=freed).on("cuda:0").budget_bytes == size_bytes


def test_all_that_devices_free_that_share_the_memory_is_free_for_each_of_them():
    found = budgets(gpu(0, unified=True), gpu(1, unified=True), freed={"cpu": GB, "u1": 2 * GB})
    assert [one.budget_bytes for one in found] == [7 * GB] * 3


def test_a_device_with_memory_of_its_own_has_only_what_is_freed_there():
    found = budgets(gpu(unified=False), freed={"cpu": 5 * GB, "u0": GB})
    assert [one.budget_bytes for one in found] == [9 * GB, 5 * GB]
