"""Whether NVIDIA's driver is there, without asking it."""

from __future__ import annotations

import sys
from pathlib import Path

FILES = ("proc/driver/nvidia/version", "dev/nvidiactl", "usr/lib/wsl/lib/libnvidia-ml.so.1")


def has_driver(*, root: Path = Path("/")) -> bool:
    """Whether there is an NVIDIA driver; costs three looks at files."""
    if sys.platform == "win32":
        import ctypes.util

        return ctypes.util.find_library("nvml") is not None
    return any((root / file).exists() for file in FILES)
