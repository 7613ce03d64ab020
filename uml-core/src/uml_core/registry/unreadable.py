"""Say why a place can't be read, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from uml_core.inspection.file import shown
from uml_core.types import Unreadable


def called(path: Path, store: str) -> str:
    """What a sentence calls *path*: no more than its last part, since it goes over HTTP too, and where that is."""
    return f"'{shown(path.name)}' in the store '{store}'"


def unreadable(path: Path, error: OSError, *, store: str, way_out: str | None = None) -> Unreadable | None:
    """The sentence for *error*, met at *path*; None if there is just nothing there.

    :param way_out: what to do for permission to read it
    """
    name = called(path, store)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return None
    if error.errno in (errno.EACCES, errno.EPERM):
        way_out = way_out or "give read permission on it and on the folders above it"
        return Unreadable(reason=f"{name} can't be read by this user; {way_out}", path=path)
    why = error.strerror or error
    return Unreadable(reason=f"{name} can't be read: {why}; look at the disk that it is on", path=path)
