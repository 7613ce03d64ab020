"""The slot's lock: the kernel's own word on whether a worker lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from uml_core.errors import ConflictError


def take(path: Path) -> int:
    """Lock *path* and return the descriptor that holds the lock.

    ``flock`` belongs to the open file, not to the process: guard and engine inherit the descriptor, and the lock is
    free when the last of them is dead. ``lockf`` would free it when anyone closes the file.

    :raises ConflictError: a process still holds it
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConflictError(f"an earlier worker still holds {path}; wait until it is gone, or end it") from None
    return descriptor


def is_free(path: Path) -> bool:
    """Try the lock through a fresh open: what this process itself inherited or kept would prove nothing."""
    try:
        os.close(take(path))
    except ConflictError:
        return False
    return True


def note_generation(descriptor: int, generation: int) -> None:
    """Write into the lock file which generation it is that holds it: the file outlives every launch."""
    with contextlib.suppress(OSError):  # a full disk is no reason not to load
        os.pwrite(descriptor, b"%020d\n" % generation, 0)


def noted_generation(path: Path) -> int:
    """The last generation that held the lock; 0 when there was none, or nothing of it can be read."""
    try:
        return int(path.read_bytes()[:20])
    except (OSError, ValueError):
        return 0
