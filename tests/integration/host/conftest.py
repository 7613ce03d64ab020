"""A control group with little memory, where this machine lets us make one."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from uml_core.host.cgroup import _groups


class MemoryGroup:
    """A new control group below *parent*; version 1 and 2 name its files differently."""

    numbers = itertools.count()

    def __init__(self, parent: Path, limit_bytes: int) -> None:
        self.folder = parent / f"uml-test-{os.getpid()}-{next(self.numbers)}"
        self.folder.mkdir()
        try:
            limit = next(
                path for name in ("memory.max", "memory.limit_in_bytes") if (path := self.folder / name).exists()
            )
            limit.write_text(str(limit_bytes))
            for name, value in (("memory.swap.max", "0"), ("memory.memsw.limit_in_bytes", str(limit_bytes))):
                with contextlib.suppress(OSError):  # no swap here
                    if (self.folder / name).exists():
                        (self.folder / name).write_text(value)
        except (OSError, StopIteration) as error:
            self.folder.rmdir()
            raise PermissionError(f"{parent} doesn't hand down the memory controller") from error

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command that runs *argv* in this group; what it starts is in the group as well."""
        return ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.folder / "cgroup.procs"), *argv]

    def pids(self) -> list[int]:
        return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]

    def remove(self) -> None:
        """Kill what is left in it, and take it away."""
        deadline = time.monotonic() + 5
        while True:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                return self.folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


@pytest.fixture
def memory_group():
    """Make a control group with so many bytes of memory, below this process's own or beside it, or skip.

    Version 2 hands memory down only to groups whose parent has no processes of its own, hence beside.
    """
    made = []

    def make(limit_bytes: int) -> MemoryGroup:
        reasons = ["no control group for memory is mounted here"]
        for name, folder in _groups(Path("/proc/self")) if sys.platform == "linux" else ():
            if name != "memory":
                continue
            try:
                made.append(MemoryGroup(folder, limit_bytes))
            except OSError as error:
                reasons.append(f"{folder}: {error}")
            else:
                return made[-1]
            if len(reasons) > 2:  # neither its own nor the one around it: what is further up is not ours
                break
        pytest.skip(f"no control group can be made: {reasons[-1]}")

    yield make
    for group in made:
        group.remove()
