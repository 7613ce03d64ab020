"""A driver of NVIDIA's for a machine without one: a library that CUDA is asked through, and a module for NVML."""

from __future__ import annotations

import shutil
import subprocess

import pytest

COMPILER = shutil.which("cc") or shutil.which("gcc")
LIBCUDA = """
#include <stdlib.h>
#include <string.h>
static int count(void) { return strlen(getenv("FAKE_ORDER")); }
int cuInit(unsigned flags) { return atoi(getenv("FAKE_CUDA_ERROR") ? getenv("FAKE_CUDA_ERROR") : "0"); }
int cuDeviceGetCount(int *number) { *number = count(); return 0; }
int cuDeviceGet(int *device, int index) { *device = getenv("FAKE_ORDER")[index] - '0'; return 0; }
int cuDeviceGetUuid_v2(unsigned char *uuid, int device) { memset(uuid, device + 1, 16); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    const char *unified = getenv("FAKE_UNIFIED");
    *value = attribute == 18 && unified && unified[0] - '0' == device;
    return 0;
}
"""
NVML = """
import os, sys, time
from types import SimpleNamespace

class NVMLError(Exception):
    def __init__(self, value, text):
        super().__init__(text)
        self.value = value

GIB = 1 << 30
nvmlMemory_v2 = 2
NAMES = ["NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 3060", "MIG 1g.18gb"]
UUIDS = ["-".join(f"{number + 1:02x}" * width for width in (4, 2, 2, 2, 6)) for number in range(3)]
NAMED = ["GPU-" + UUIDS[0], "GPU-" + UUIDS[1], "MIG-" + UUIDS[2]]

def nvmlInit():
    print("a driver that prints")
    mood = os.environ.get("FAKE_NVML", "")
    if mood == "hangs":
        time.sleep(600)
    if mood == "crashes":
        os.abort()
    if mood == "exits":
        sys.exit("no licence")
    if mood.isdecimal():
        raise NVMLError(int(mood), "Driver/library version mismatch")

def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetHandleByUUID(uuid):
    if uuid.decode() not in NAMED:
        raise NVMLError(6, "Not Found")
    return NAMED.index(uuid.decode())
def nvmlDeviceGetUUID(device): return NAMED[device]
def nvmlDeviceGetName(device): return NAMES[device].encode()
def nvmlDeviceGetMemoryInfo(device, version=None):
    if os.environ.get("FAKE_UNIFIED") == str(device):
        raise NVMLError(3, "Not Supported")
    if device == 2 and version:
        raise NVMLError(3, "Not Supported")
    return SimpleNamespace(total=24 * GIB, used=5 * GIB, free=18 * GIB)
def nvmlDeviceGetComputeRunningProcesses(device):
    rows = os.environ.get("FAKE_ROWS", "").split()
    return [SimpleNamespace(pid=int(pid), usedGpuMemory=int(held)) for pid, held in (row.split(":") for row in rows)]
def nvmlDeviceGetGraphicsRunningProcesses(device): return []
def nvmlDeviceGetCudaComputeCapability(device): return [(8, 9), (8, 6), (9, 0)][device]
def nvmlDeviceGetDisplayActive(device): return int(device == 1)
def nvmlDeviceGetComputeMode(device): return 2 if os.environ.get("FAKE_PROHIBITED") == str(device) else 0
def nvmlDeviceGetPciInfo(device): return SimpleNamespace(domain=0, bus=0x65 + device, device=0)
def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device):
    if device != 2:
        raise NVMLError(2, "Invalid Argument")
    return 0
def nvmlSystemGetDriverVersion(): return "580.95.05"
def nvmlSystemGetCudaDriverVersion_v2(): return 13000
"""


@pytest.fixture
def install_driver(tmp_path):
    """Put the driver into a folder; the environment in which a process finds it there."""

    def install(*, cuda=True):
        if cuda and COMPILER is None:
            pytest.skip("needs a C compiler")
        (tmp_path / "pynvml.py").write_text(NVML)
        if cuda:
            (tmp_path / "cuda.c").write_text(LIBCUDA)
            command = [COMPILER, "-shared", "-fPIC", "-o", tmp_path / "libcuda.so.1", tmp_path / "cuda.c"]
            subprocess.run(command, check=True)
        return {"PYTHONPATH": str(tmp_path), "LD_LIBRARY_PATH": str(tmp_path), "FAKE_ORDER": "01"}

    return install


@pytest.fixture
def driver(install_driver):
    return install_driver()
