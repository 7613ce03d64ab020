"""The side process's reading, over a library that answers as the driver's does on different machines."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from uml_core.host import nvml_probe

GB = 10**9


class NVMLError(Exception):
    pass


def library(*devices):
    """The module as :mod:`pynvml` would answer for *devices*; a value that is an exception is raised."""

    def give(device, name):
        if isinstance(device[name], Exception):
            raise device[name]
        return device[name]

    def rows(name):
        return lambda device: [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in give(device, name)]

    return SimpleNamespace(
        NVMLError=NVMLError,
        nvmlMemory_v2=0x02000028,
        nvmlDeviceGetCount=lambda: len(devices),
        nvmlDeviceGetHandleByIndex=lambda index: devices[index],
        nvmlDeviceGetUUID=lambda device: give(device, "uuid"),
        nvmlDeviceGetName=lambda device: give(device, "name"),
        nvmlDeviceGetMemoryInfo=lambda device, version=None: give(device, "memory_v2" if version else "memory"),
        nvmlDeviceGetComputeRunningProcesses=rows("compute"),
        nvmlDeviceGetGraphicsRunningProcesses=rows("graphics"),
    )


def memory(used, total=24 * GB):
    return SimpleNamespace(total=total, used=used, free=total - used)


def device(**facts):
    usual = {
        "uuid": "GPU-1",
        "name": "NVIDIA A",
        "memory_v2": memory(1 * GB),
        "memory": memory(2 * GB),
        "compute": [],
        "graphics": [],
    }
    return {**usual, **facts}


def read(**facts):
    return next(nvml_probe.read(library(device(**facts))))


NOT_SUPPORTED = NVMLError("Not Supported")


def test_a_device():
    assert read(compute=[(7, 3 * GB)], graphics=[(8, GB)]) == {
        "index": 0,
        "uuid": "GPU-1",
        "name": "NVIDIA A",
        "total": 24 * GB,
        "used": 1 * GB,
        "processes": {7: 3 * GB, 8: GB},
    }


def test_a_process_in_both_lists_counts_once():
    assert read(compute=[(7, 3 * GB)], graphics=[(7, 3 * GB)])["processes"] == {7: 3 * GB}


def test_a_process_in_two_parts_of_a_split_device():
    assert read(compute=[(7, 3 * GB), (7, GB)])["processes"] == {7: 4 * GB}


def test_a_device_without_graphics():
    assert read(compute=[(7, GB)], graphics=NOT_SUPPORTED)["processes"] == {7: GB}


@pytest.mark.parametrize(
    "rows",
    [
        {"graphics": [(8, None)]},
        {"compute": [(7, GB), (8, None)]},
        {"compute": [(7, 2**64 - 4096)]},
        {"compute": NOT_SUPPORTED, "graphics": NOT_SUPPORTED},
    ],
)
def test_bytes_that_the_driver_does_not_give(rows):
    """As under WDDM."""
    assert read(**rows)["processes"] is None


def test_an_older_driver():
    assert read(memory_v2=NVMLError("Function Not Found"))["used"] == 2 * GB


def test_a_device_that_shares_the_machines_memory():
    one = read(memory_v2=NOT_SUPPORTED, memory=NOT_SUPPORTED, compute=[(7, 50 * GB)])
    assert (one["total"], one["used"], one["processes"]) == (0, 0, {7: 50 * GB})


def test_a_use_that_is_less_than_nothing():
    assert read(memory_v2=memory(2**64 - 4096))["used"] == 0


def test_names_as_bytes():
    assert read(uuid=b"GPU-9", name=b"Tesla \xff")["uuid"] == "GPU-9"


def test_a_device_that_has_fallen_off_the_bus():
    lost = device(uuid=NVMLError("GPU is lost"))
    assert [one["index"] for one in nvml_probe.read(library(lost, device()))] == [1]
