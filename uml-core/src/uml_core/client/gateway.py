"""Which gateway is alive: what its file says, and whether that process is still the one that wrote it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from attrs import frozen

CLOCK_SLACK_S = 2.0
"""A process's start time is derived from the boot time, which moves by this much when the clock is set."""


@frozen(kw_only=True)
class Gateway:
    """A running gateway, as its ``run/gateway.json`` describes it. ``started_s`` is in seconds since the epoch."""

    url: str
    pid: int
    started_s: float
    version: str = ""


def gateway_file() -> Path:
    """``run/gateway.json`` of the data folder that ``UML_DATA_DIR`` names, else of the user's own."""
    from platformdirs import user_data_path

    return Path(os.environ.get("UML_DATA_DIR") or user_data_path("uml")) / "run" / "gateway.json"


def find_gateway(path: Path | None = None) -> Gateway | None:
    """The live gateway that wrote *path*; None when there is none, or when it died and left the file behind.

    :param path: a ``gateway.json``; the one of the user's data folder when absent
    """
    try:
        said = json.loads((path or gateway_file()).read_bytes())
        gateway = Gateway(
            url=str(said["url"]), pid=int(said["pid"]), started_s=float(said["started"]), version=str(said["version"])
        )
    except (OSError, ValueError, TypeError, KeyError):  # absent, being replaced, or not ours
        return None
    return gateway if _is_alive(gateway) else None


def _is_alive(gateway: Gateway) -> bool:
    import psutil

    try:
        process = psutil.Process(gateway.pid)
        same = abs(process.create_time() - gateway.started_s) <= CLOCK_SLACK_S
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
