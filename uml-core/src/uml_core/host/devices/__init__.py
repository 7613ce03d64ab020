"""The accelerators of this machine, asked for in a child process with a time limit."""

from uml_core.host.devices.finder import find_devices, forget_devices, known_devices
from uml_core.host.devices.found import Found

__all__ = ("Found", "find_devices", "forget_devices", "known_devices")
