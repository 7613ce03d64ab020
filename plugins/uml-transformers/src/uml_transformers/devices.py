"""Which accelerators torch, as it is installed, can use, and which of them a worker sees."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from uml_core.host.ggml import View
from uml_core.types import DeviceKind, Plan


def accelerators(torch: Path) -> tuple[DeviceKind, ...]:
    """The kinds of devices that torch is built for.

    :param torch: the folder of the package, which says so in ``version.py``
    """
    version = torch / "version.py"
    said = version.read_text("utf-8", "replace") if version.is_file() else ""
    kinds: dict[DeviceKind, bool] = {
        "cuda": bool(re.search(r"^cuda\b[^=]*= *'", said, re.MULTILINE)),
        "rocm": bool(re.search(r"^hip\b[^=]*= *'", said, re.MULTILINE)),
        "metal": sys.platform == "darwin",
    }
    return tuple(kind for kind, there in kinds.items() if there)


def environment(plan: Plan, parent: Mapping[str, str]) -> dict[str, str]:
    """What shows the worker the devices of *plan* alone; all of their kind where accelerate spreads the model."""
    devices = plan.placement.devices
    kind = devices[0].partition(":")[0] if devices else ""
    env = {"TOKENIZERS_PARALLELISM": "false", "USE_HUB_KERNELS": "NO"}
    if kind == "metal" or (devices and plan.options.get("device_map")):
        return env
    shown = View(devices).environment(parent)
    return env | {name: value for name, value in shown.items() if not name.startswith(("UML_", "GGML_"))}
