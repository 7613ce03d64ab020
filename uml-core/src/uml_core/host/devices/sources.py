"""Where to look for devices: only where there is a sign of some, so that a machine without any loses no time."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from uml_core.host.devices.nvidia import has_driver
from uml_core.plugins import implementing

PLUGIN = "plugin:"
"""Before the name of a plugin whose hook is asked."""
ROOT = Path("/")
DRIVERS = ("etc/vulkan/icd.d", "usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d")
DRIVER_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")
VENDORS = {"cuda": "0x10de", "rocm": "0x1002"}
"""Whose devices need no Vulkan where their own driver is there."""


def sources() -> tuple[str, ...]:
    """The sources that are worth asking, in their order; costs a few looks at files."""
    return (*core_sources(), *_plugins())


def core_sources(*, root: Path = ROOT) -> tuple[str, ...]:
    """Those of them that core knows."""
    found = tuple(_makers(root))
    return (*found, "vulkan") if _has_vulkan(root, known=found) else found


def _makers(root: Path) -> Iterator[str]:
    if has_driver(root=root):
        yield "cuda"
    if sys.platform == "linux" and (root / "dev/kfd").exists():
        yield "rocm"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        yield "metal"


def _has_vulkan(root: Path, *, known: tuple[str, ...]) -> bool:
    if sys.platform == "win32":
        import ctypes.util

        return ctypes.util.find_library("vulkan-1") is not None
    if sys.platform != "linux":
        return False
    covered = {VENDORS[source] for source in known}
    return bool(_render_vendors(root) - covered) and _has_vulkan_driver(root)


def _has_vulkan_driver(root: Path) -> bool:
    if any(os.environ.get(name) for name in DRIVER_VARIABLES):
        return True
    own = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "vulkan/icd.d"
    return any(next(folder.glob("*.json"), None) for folder in (*(root / name for name in DRIVERS), own))


def _render_vendors(root: Path) -> set[str]:
    """Who made the devices that can be rendered with; a software renderer such as lavapipe needs none of them."""
    nodes = [path.name for path in (root / "dev/dri").glob("renderD*")]
    return {_word(root / "sys/class/drm" / node / "device/vendor") for node in nodes}


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _plugins() -> tuple[str, ...]:
    return tuple(PLUGIN + name for name in implementing("uml_detect_devices"))
