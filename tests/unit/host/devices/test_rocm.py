"""AMD's devices, from the kernel's files as they are on real machines, written into a folder."""

from __future__ import annotations

import os

import pytest

from uml_core.host.devices.rocm import NO_RIGHT, detect

GIB = 1 << 30
W7900 = {
    "cpu_cores_count": 0, "simd_count": 192, "gfx_target_version": 110000, "location_id": 0x0300,
    "domain": 0, "drm_render_minor": 128, "unique_id": 0x1A2B3C4D5E6F7081,
}  # fmt: skip
MI300X = {
    "cpu_cores_count": 0, "simd_count": 1216, "gfx_target_version": 90402, "location_id": 0x6500, "domain": 1,
    "drm_render_minor": 129, "unique_id": 0x11,
}  # fmt: skip
STRIX = {
    "cpu_cores_count": 0, "simd_count": 80, "gfx_target_version": 110501, "location_id": 0xC401, "domain": 0,
    "drm_render_minor": 128, "unique_id": 0,
}  # fmt: skip


class Machine:
    def __init__(self, root):
        self.root = root
        self.count = 0
        self.write("dev/kfd", "")
        self.write("proc/none", "")
        self.node({"cpu_cores_count": 16, "simd_count": 0}, gpu_id=0)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def node(self, facts, *, gpu_id, **card):
        folder = f"sys/class/kfd/kfd/topology/nodes/{self.count}"
        self.count += 1
        self.write(f"{folder}/gpu_id", gpu_id)
        self.write(f"{folder}/properties", "\n".join(f"{name} {value}" for name, value in facts.items()))
        for name, value in card.items():
            self.write(f"sys/class/drm/renderD{facts['drm_render_minor']}/device/{name}", value)

    def detect(self):
        return detect(root=self.root, proc=self.root / "proc")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


@pytest.fixture
def two(machine):
    machine.node(
        W7900, gpu_id=111, mem_info_vram_total=48 * GIB, mem_info_vram_used=3 * GIB, device="0x7448", revision="0x00"
    )
    machine.node(
        MI300X, gpu_id=222, mem_info_vram_total=192 * GIB, mem_info_vram_used=GIB, product_name="AMD Instinct MI300X"
    )
    return machine


def test_two_cards(two):
    two.write("usr/share/libdrm/amdgpu.ids", "# list\n1.0.0\n7448,\t00,\tAMD Radeon Pro W7900\n7448, C8, another")
    two.write("sys/module/amdgpu/version", "6.10.5")
    two.write("opt/rocm/.info/version", "6.3.1-48")
    first, second = two.detect()
    assert (first.id, first.kind, first.index, first.name) == ("rocm:0", "rocm", 0, "AMD Radeon Pro W7900")
    assert (first.total_bytes, first.free_bytes, first.unified) == (48 * GIB, 45 * GIB, False)
    assert (first.capability, first.driver, first.runtime, first.bus) == ("gfx1100", "6.10.5", "6.3.1", "0000:03:00.0")
    assert first.uuid == "GPU-1a2b3c4d5e6f7081"
    assert first.problem == ""
    assert (second.id, second.name, second.bus) == ("rocm:1", "AMD Instinct MI300X", "0001:65:00.0")
    assert second.capability == "gfx942"


def test_one_that_nobody_names(machine):
    machine.node({**W7900, "gfx_target_version": 90010}, gpu_id=5, mem_info_vram_total=GIB)
    assert machine.detect()[0].name == "AMD gfx90a"


def test_who_holds_its_memory(two):
    own = os.getpid()
    two.write(f"sys/class/kfd/kfd/proc/{own}/vram_111", 2 * GIB)
    two.write("sys/class/kfd/kfd/proc/4194999/vram_111", GIB // 2)
    first, second = two.detect()
    assert [(holder.pid, holder.held_bytes) for holder in first.holders] == [(own, 2 * GIB)]
    assert first.unseen_bytes == GIB
    assert (second.holders, second.unseen_bytes) == ((), GIB)


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, ["W", "M"]),
        ({"ROCR_VISIBLE_DEVICES": "1"}, ["M"]),
        ({"HIP_VISIBLE_DEVICES": "1,0"}, ["M", "W"]),
        ({"ROCR_VISIBLE_DEVICES": "1,0", "HIP_VISIBLE_DEVICES": "1"}, ["W"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-1a2b"}, ["W"]),
        ({"CUDA_VISIBLE_DEVICES": "0"}, ["W"]),
        ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "0"}, ["M"]),
        ({"HIP_VISIBLE_DEVICES": "0,7,1"}, ["W"]),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"HIP_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_what_the_variables_leave(two, monkeypatch, variables, names):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = two.detect()
    assert [{"gfx1100": "W", "gfx942": "M"}[device.capability] for device in found] == names
    assert [device.id for device in found] == [f"rocm:{index}" for index in range(len(names))]


def test_a_processor_with_graphics_shares_the_memory(machine, monkeypatch):
    monkeypatch.setattr("uml_core.host.devices.rocm.measure_memory", lambda limits: (128 * GIB, 100 * GIB))
    sizes = {"mem_info_vram_total": GIB // 2, "mem_info_vram_used": GIB // 4, "mem_info_gtt_total": 62 * GIB}
    machine.node(STRIX, gpu_id=7, **sizes, mem_info_gtt_used=2 * GIB)
    (device,) = machine.detect()
    assert (device.unified, device.capability) == (True, "gfx1151")
    assert device.total_bytes == 62 * GIB + GIB // 2
    assert device.free_bytes == 60 * GIB + GIB // 4
    assert (device.uuid, device.bus) == ("", "0000:c4:00.1")


def test_no_more_is_free_on_it_than_in_the_machine(machine, monkeypatch):
    monkeypatch.setattr("uml_core.host.devices.rocm.measure_memory", lambda limits: (16 * GIB, 3 * GIB))
    machine.node(STRIX, gpu_id=7, mem_info_vram_total=GIB, mem_info_vram_used=GIB, mem_info_gtt_total=8 * GIB)
    assert machine.detect()[0].free_bytes == 3 * GIB


def test_a_user_without_the_right(machine):
    machine.node(W7900, gpu_id=111, mem_info_vram_total=GIB)
    (machine.root / "dev/kfd").unlink()
    assert machine.detect()[0].problem == NO_RIGHT


def test_a_display(two):
    two.write("sys/class/drm/renderD128/device/drm/card0/card0-DP-1/status", "disconnected")
    two.write("sys/class/drm/renderD128/device/drm/card0/card0-HDMI-A-1/status", "connected")
    assert [device.display for device in two.detect()] == [True, False]


def test_a_machine_without_any(tmp_path):
    assert detect(root=tmp_path) == []
