"""The slot's lock: the kernel's own word on whether a worker lives."""

from __future__ import annotations

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
