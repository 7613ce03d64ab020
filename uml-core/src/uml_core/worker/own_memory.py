"""What this process holds by itself; without psutil, for a worker runs in any environment."""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")
OWN = (b"RssAnon:", b"RssShmem:")


def own_bytes() -> int | None:
    """Anonymous memory of this process, and memory that has a name but no file; None elsewhere than on Linux."""
    try:
        lines = [line.split() for line in STATUS.read_bytes().splitlines() if line.startswith(OWN)]
        return sum(int(words[1]) * 1024 for words in lines) or None
    except (OSError, ValueError, IndexError):
        return None
