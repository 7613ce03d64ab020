import errno
import sqlite3
from pathlib import Path

import pytest

from uml_core.storage import trouble

PATH = Path("/data/uml.db")


class Wrapped(Exception):
    """As SQLAlchemy wraps an error of the driver."""

    def __init__(self, orig):
        self.orig = orig


def of_sqlite(code, text="it says"):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("wrap", [lambda error: error, Wrapped], ids=["plain", "wrapped"])
@pytest.mark.parametrize(
    ("error", "outside", "corrupt", "way_out"),
    [
        (of_sqlite(sqlite3.SQLITE_FULL), True, False, "free some space"),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), True, False, "whether that disk is full"),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), True, False, "let this user"),
        (of_sqlite(sqlite3.SQLITE_BUSY), True, False, "end the other program"),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), False, True, "the log"),
        (of_sqlite(sqlite3.SQLITE_NOTADB), False, True, "the log"),
        (of_sqlite(sqlite3.SQLITE_CONSTRAINT_NOTNULL), False, False, "the log"),
        (OSError(errno.ENOSPC, "No space"), True, False, "free some space"),
        (PermissionError(errno.EACCES, "denied"), True, False, "let this user"),
        (MemoryError(), True, False, "free some memory"),
        (ValueError("x"), False, False, "the log"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_an_error_means(error, outside, corrupt, way_out, wrap):
    error = wrap(error)
    assert (trouble.is_outside(error), trouble.is_corrupt(error)) == (outside, corrupt)
    sentence = trouble.said(error, PATH)
    assert sentence.startswith("the database '/data/uml.db' can't be written (")
    assert way_out in sentence


def test_only_a_full_disk_is_full_and_only_a_late_read_is_late():
    assert trouble.is_full(of_sqlite(sqlite3.SQLITE_FULL))
    assert not trouble.is_full(of_sqlite(sqlite3.SQLITE_IOERR))
    assert trouble.is_late(of_sqlite(sqlite3.SQLITE_INTERRUPT))
    assert not trouble.is_late(of_sqlite(sqlite3.SQLITE_FULL))


def test_the_journal_has_a_sentence_of_its_own():
    sentence = trouble.said_of_journal(OSError(errno.ENOSPC, "No space left on device"), Path("/data/journal"))
    assert sentence.startswith("the journal in '/data/journal' can't be written (No space left on device): free some")
