"""Which devices are the same one, seen by two drivers."""

from __future__ import annotations

import re

from attrs import evolve

from uml_core.types import Device

NO_HEX = re.compile("[^0-9a-f]")
UUID = re.compile(r"^[a-z]+-", re.IGNORECASE)


def identities(device: Device) -> set[str]:
    """Names that only this device has: two that share one are the same device."""
    uuid = NO_HEX.sub("", UUID.sub("", device.uuid).lower())
    return {name for name in (device.id, uuid if len(uuid) >= 16 else device.uuid, device.bus) if name}


def bus_of(domain: int, bus: int, device: int, function: int = 0) -> str:
    """The address as Linux writes it: ``0000:65:00.0``."""
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"


def with_uuid(device: Device) -> Device:
    """With something in ``uuid``, for by this it is known from one probe to the next."""
    return device if device.uuid else evolve(device, uuid=device.bus or device.id)
