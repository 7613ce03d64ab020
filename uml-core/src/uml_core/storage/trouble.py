"""What an error of the database means, and what the user can do about it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
OUTSIDE = {
    sqlite3.SQLITE_FULL: "free some space on that disk",
    sqlite3.SQLITE_IOERR: "look whether that disk is full, or broken",
    sqlite3.SQLITE_READONLY: "let this user write there",
    sqlite3.SQLITE_PERM: "let this user write there",
    sqlite3.SQLITE_CANTOPEN: "let this user read and write there",
    sqlite3.SQLITE_BUSY: "end the other program that has it open",
    sqlite3.SQLITE_LOCKED: "end the other program that has it open",
    sqlite3.SQLITE_PROTOCOL: "end the other program that has it open",
    sqlite3.SQLITE_NOMEM: "free some memory",
}
"""Primary result codes of SQLite that tell of the machine, not of the row or the file, and the way out of each."""
DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Refused(Exception):
    """The database is not for this program, and will not be however often it is tried."""


def is_corrupt(error: BaseException) -> bool:
    """Whether the file is damaged, or no database."""
    return _code(error) in CORRUPT


def is_outside(error: BaseException) -> bool:
    """Whether the machine is the reason: it may pass, and no row is to blame."""
    origin = _origin(error)
    return isinstance(origin, (OSError, MemoryError)) or _code(error) in OUTSIDE


def is_full(error: BaseException) -> bool:
    """Whether there is just no room to write."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_late(error: BaseException) -> bool:
    """Whether a read was cut off at its deadline."""
    return _code(error) == sqlite3.SQLITE_INTERRUPT


def reason(error: BaseException) -> str:
    """What the system or SQLite itself says, without what SQLAlchemy adds."""
    origin = _origin(error)
    return getattr(origin, "strerror", None) or str(origin) or type(origin).__name__


def said(error: BaseException, path: Path) -> str:
    """What the user is told of a database that can't be written: the object, the reason, the way out."""
    return (
        f"the database '{path}' can't be written ({reason(error)}): {_way_out(error)}; models are served as before, "
        "and the last rows wait in memory"
    )


def said_of_journal(error: OSError, folder: Path) -> str:
    """The same of a journal that can't be written while the database can."""
    return (
        f"the journal in '{folder}' can't be written ({reason(error)}): {_way_out(error)}; rows of the last moments "
        "would be lost if this process were killed"
    )


def _way_out(error: BaseException) -> str:
    origin = _origin(error)
    if isinstance(origin, OSError):
        return "free some space on that disk" if origin.errno in DISK_IS_FULL else "let this user write there"
    if isinstance(origin, MemoryError):
        return OUTSIDE[sqlite3.SQLITE_NOMEM]
    return OUTSIDE.get(_code(error) or 0, "the log says more")


def _origin(error: BaseException) -> BaseException:
    # SQLAlchemy's errors carry the driver's; asked by attribute, for this must work before SQLAlchemy is imported.
    origin = getattr(error, "orig", None)
    return origin if isinstance(origin, BaseException) else error


def _code(error: BaseException) -> int | None:
    """SQLite's primary result code; the extended ones have it in their lowest byte."""
    code = getattr(_origin(error), "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
