from __future__ import annotations

import pytest

from uml_core.host.devices.unused import HIDING, unused_cards
from uml_core.types import Device


@pytest.fixture
def machine(tmp_path, monkeypatch):
    for names in HIDING.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)

    def card(bus, vendor, kind="0x030000"):
        folder = tmp_path / "sys/bus/pci/devices" / bus
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}\n")
        return tmp_path

    return card


def device(bus):
    return Device(id="cuda:0", kind="cuda", index=0, name="A", bus=bus)


def test_a_card_that_is_used(machine):
    assert unused_cards([device("0000:01:00.0")], root=machine("0000:01:00.0", "0x10de")) == []


@pytest.mark.parametrize(
    ("vendor", "kind", "way"),
    [
        ("0x10de", "0x030200", "install NVIDIA's driver"),
        ("0x1002", "0x038000", "amdgpu"),
        ("0x8086", "0x030000", "mesa-vulkan-drivers"),
        ("0x1002", "0x120000", "ROCm"),
    ],
)
def test_a_card_without_a_driver(machine, vendor, kind, way):
    (sentence,) = unused_cards([device("0000:99:00.0")], root=machine("0000:01:00.0", vendor, kind))
    assert "card at 0000:01:00.0 is not used" in sentence
    assert way in sentence


@pytest.mark.parametrize(("vendor", "kind"), [("0x1a03", "0x030000"), ("0x10de", "0x040300"), ("0x8086", "0x020000")])
def test_what_is_no_card_to_calculate_with(machine, vendor, kind):
    assert unused_cards([], root=machine("0000:01:00.0", vendor, kind)) == []


def test_one_that_a_variable_hides(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    root = machine("0000:01:00.0", "0x10de")
    assert unused_cards([], root=root) == [
        "the NVIDIA card at 0000:01:00.0 is not used: CUDA_VISIBLE_DEVICES=1 hides it"
    ]


def test_one_with_a_driver(machine):
    root = machine("0000:01:00.0", "0x10de")
    (root / "dev").mkdir()
    (root / "dev/nvidiactl").write_text("")
    (sentence,) = unused_cards([], root=root)
    assert "though there is a driver" in sentence
