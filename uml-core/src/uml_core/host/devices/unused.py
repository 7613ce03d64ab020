"""Cards that are in the machine and that nobody can use, for want of a driver."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from uml_core.host.devices.nvidia import has_driver
from uml_core.types import Device

FOLDER = "sys/bus/pci/devices"
CLASSES = ("0x0300", "0x0302", "0x0380", "0x1200")
"""Graphics cards, those without a display, and accelerators; the last two digits say little."""
NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"
MAKERS = {NVIDIA: "NVIDIA", AMD: "AMD", INTEL: "Intel"}
HIDING = {NVIDIA: ("CUDA_VISIBLE_DEVICES",), AMD: ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")}
WAYS = {
    NVIDIA: "install NVIDIA's driver, until `nvidia-smi` lists it",
    AMD: "load the module amdgpu and install ROCm, or a driver for Vulkan (mesa-vulkan-drivers)",
    INTEL: "install a driver for Vulkan (mesa-vulkan-drivers)",
}


@frozen(kw_only=True)
class Card:
    """One card on the PCI bus."""

    bus: str
    vendor: str


def unused_cards(devices: Iterable[Device], *, root: Path = Path("/")) -> list[str]:
    """A sentence for each card that none of *devices* is, with the way to use it; only on Linux."""
    known = {device.bus for device in devices}
    return [_sentence(card, root) for card in _cards(root) if card.bus not in known]


def _cards(root: Path) -> Iterator[Card]:
    for folder in sorted((root / FOLDER).glob("*")):
        card = Card(bus=folder.name, vendor=_word(folder / "vendor"))
        if card.vendor in MAKERS and _word(folder / "class").startswith(CLASSES):
            yield card


def _sentence(card: Card, root: Path) -> str:
    what = f"the {MAKERS[card.vendor]} card at {card.bus} is not used"
    hiding = [name for name in HIDING.get(card.vendor, ()) if name in os.environ]
    if hiding:
        return f"{what}: {hiding[0]}={os.environ[hiding[0]]} hides it"
    if card.vendor == NVIDIA and has_driver(root=root):
        return f"{what}, though there is a driver; see what `nvidia-smi` says"
    return f"{what}, for it has no driver that UML knows; {WAYS[card.vendor]}"


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
