"""What is left of a gateway: processes with a mark of its launches, listening ports, files."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
from attrs import frozen

LIMIT_S = 2.0
_LAUNCH = re.compile(r"launch-\d+-([0-9a-f]{16})")


@frozen
class Held:
    """What a process holds: resident bytes, descriptors, listening sockets."""

    rss_bytes: int
    fds: int
    listening: int


def held_by(pid: int) -> Held:
    """Look at one process, without its children."""
    process = psutil.Process(pid)
    listening = [one for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    return Held(process.memory_info().rss, process.num_fds(), len(listening))


def launches(run_folder: Path) -> set[str]:
    """The launch ids whose folders are there."""
    return {found[1] for path in run_folder.glob("launch-*") if (found := _LAUNCH.fullmatch(path.name))}


def marked(launch_ids: set[str]) -> list[psutil.Process]:
    """The living processes of those launches, wherever they hide."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get("UML_LAUNCH_ID") in launch_ids:
                found.append(process)
    return found


def buried(launch_ids: set[str], since_s: float) -> tuple[float, tuple[int, ...]]:
    """Wait until no process of those launches lives, for at most 2 s since *since_s*.

    Gives how long they lived, and the pids of those that live still.
    """
    while left := marked(launch_ids):
        if monotonic() - since_s > LIMIT_S:
            return monotonic() - since_s, tuple(process.pid for process in left)
        sleep(0.01)
    return monotonic() - since_s, ()
