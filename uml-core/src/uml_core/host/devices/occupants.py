"""Who holds a device's memory, as far as the driver's numbers are processes of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from uml_core.host.cgroup import PROCESSES
from uml_core.host.holders import program_name
from uml_core.types import Holder


def occupants(held: Mapping[int, int], *, marks: Sequence[str], proc: Path = PROCESSES) -> tuple[Holder, ...]:
    """Name those of the pids in *held* that hold something, the largest first.

    In a container a driver may give the pids of the world around it; here they are nobody's, or another process's by
    chance. So who can be looked at must have mapped a file whose path has one of *marks* in it.

    :param held: bytes by pid
    """
    found = [(size, pid, program_name(pid)) for pid, size in held.items() if size and _has_mapped(pid, marks, proc)]
    return tuple(Holder(pid=pid, name=name, held_bytes=size) for size, pid, name in sorted(found, reverse=True) if name)


def _has_mapped(pid: int, marks: Sequence[str], proc: Path) -> bool:
    try:
        maps = (proc / str(pid) / "maps").read_text("utf-8", "replace")
    except OSError:  # another user's, or a system that doesn't tell
        return True
    return not maps or any(mark in maps for mark in marks)  # the kernel gives nothing of what it won't show
