"""What one prompt may cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import resource
    import signal


@contextmanager
def limited(seconds: float, more_bytes: int) -> Iterator[None]:
    """Be ended by the system after *seconds* of computing, and be refused memory beyond *more_bytes* more."""
    if sys.platform == "win32":  # the parent's time limit is all there is
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends a process that doesn't expect it
    before = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError, ValueError):
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + more_bytes, before[1]))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_PROF, 0)
