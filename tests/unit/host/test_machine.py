from __future__ import annotations

import pytest

from uml_core.host.machine import device_names, machine_name, processor_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC  7B13 64-Core\n", "AMD EPYC 7B13 64-Core"),
        ("processor : 0\nHardware : BCM2711\nModel : Raspberry Pi 4\n", "BCM2711"),
    ],
)
def test_the_name_of_the_processor(tmp_path, text, name):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert processor_name(cpu_info=file) == name


def test_a_processor_that_nobody_names(tmp_path):
    assert processor_name(cpu_info=tmp_path / "none")


def test_the_names_of_devices(tmp_path):
    for bus, model in (("0000:01:00.0", "NVIDIA RTX 4090"), ("0000:02:00.0", "NVIDIA RTX 3060")):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 31\n")
    assert device_names(folder=tmp_path) == ("NVIDIA RTX 4090", "NVIDIA RTX 3060")
    assert device_names(folder=tmp_path / "none") == ()


def test_the_machine_has_one_name():
    assert machine_name() == machine_name()
    assert "core" in machine_name()
