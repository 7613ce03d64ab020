"""Say why a place can't be read, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from uml_core.inspection.file import shown
from uml_core.types import Unreadable


def unreadable(path: Path, error: OSError, *, what: str | None = None, way_out: str | None = None) -> Unreadable | None:
    """The sentence for *error*, met at *path*; None if there is just nothing there.

    The sentence has no more of *path* than its last part: it goes over HTTP too.

    :param what: what is there, in words
    :param way_out: what to do for permission to read it
    """
    name = what or f"'{shown(path.name)}'"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return None
    if error.errno in (errno.EACCES, errno.EPERM):
        way_out = way_out or "give read permission on it and on the folders above it"
        return Unreadable(reason=f"{name} can't be read by this user; {way_out}", path=path)
    why = error.strerror or error
    return Unreadable(reason=f"{name} can't be read: {why}; look at the disk that it is on", path=path)
