"""What an earlier gateway left behind: its workers, and their folders.

A worker normally dies with its gateway, whatever kills that. What is left nevertheless (the guard was killed too, or
the machine has no parent-death signal) is ended at the next start, if it is proven to be ours: the launch folder
names the engine's pid and start time, the boot and the launch id. The engine has to match in all of them; what it
started carries the launch id, which nobody can guess, and is not older than the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import psutil

from uml_core.supervisor.lock import noted_generation
from uml_core.supervisor.process import marked

PROCESS_FILE = "process.json"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SLACK_S = 0.05
_FOLDER = re.compile(r"launch-(\d+)-([0-9a-f]{16})")
log = logging.getLogger(__name__)


def last_generation(run_folder: Path) -> int:
    """The highest generation that a lock file or a folder tells of, so that the next one is higher; 0 without any."""
    noted = (noted_generation(path) for path in run_folder.glob("slot-*.lock"))
    return max((*noted, *(int(found[1]) for _, found in _folders(run_folder))), default=0)


def note_process(run_dir: Path, pid: int) -> None:
    """Write down who the engine of a launch is.

    :raises OSError: the folder can't be written
    """
    with contextlib.suppress(psutil.Error):
        facts = {"pid": pid, "started": psutil.Process(pid).create_time(), "boot": boot_id()}
        (run_dir / PROCESS_FILE).write_text(json.dumps(facts), encoding="utf-8")


def boot_id() -> str:
    """A text that differs from boot to boot: a pid and a start time of an earlier one prove nothing."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


async def reap(run_folder: Path) -> list[str]:
    """End what is left of earlier launches and remove their folders; the launch ids that something was left of.

    Call it with the gateway's lock held: then no launch of this folder is anybody's.
    """
    found = []
    for folder, match in _folders(run_folder):
        left = await asyncio.to_thread(_ours, folder, match[2])
        if left:
            log.warning("left over by an earlier gateway, and ended now: %s", [process.pid for process in left])
            await asyncio.to_thread(_end, left)
            found.append(match[2])
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _folders(run_folder: Path) -> list[tuple[Path, re.Match[str]]]:
    if not run_folder.is_dir():
        return []
    matches = ((folder, _FOLDER.fullmatch(folder.name)) for folder in run_folder.iterdir())
    return [(folder, match) for folder, match in matches if match]


def _ours(folder: Path, launch_id: str) -> list[psutil.Process]:
    """The processes of that launch that still run and are proven to be of it."""
    facts = _facts(folder)
    if facts is None or facts["boot"] != boot_id():
        return []
    return [process for process in marked(launch_id) if _is_of(process, facts)]


def _is_of(process: psutil.Process, facts: dict[str, Any]) -> bool:
    with contextlib.suppress(psutil.Error):
        younger_s = process.create_time() - float(facts["started"])
        return abs(younger_s) < SLACK_S if process.pid == int(facts["pid"]) else younger_s > -SLACK_S
    return False


def _end(processes: list[psutil.Process]) -> None:
    """Kill them; psutil looks at the start time once more, so that a pid that was used again is left alone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=2.0)


def _facts(folder: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((folder / PROCESS_FILE).read_text("utf-8"))
        return {"pid": int(facts["pid"]), "started": float(facts["started"]), "boot": str(facts["boot"])}
    except (OSError, ValueError, LookupError, TypeError):
        return None
