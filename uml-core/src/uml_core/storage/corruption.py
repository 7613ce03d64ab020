"""A damaged database is moved out of the way, not repaired and not deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def set_aside(path: Path) -> Path:
    """Move the database with its log to ``….corrupt-TIME`` beside it; the new names belong together as the old did.

    :raises OSError: the folder can't be written
    """
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    # The file itself last: a log without its file would be taken for the log of the next one.
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    return aside
