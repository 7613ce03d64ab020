"""From a path to a database that can be used: checked, of this version, with what an earlier gateway left over.

Importing this imports SQLAlchemy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from uml_core.storage import place
from uml_core.storage.corruption import set_aside
from uml_core.storage.database import Database, open_database
from uml_core.storage.health import Tell
from uml_core.storage.inbox import BATCH_ROWS
from uml_core.storage.journal import Journal, lines
from uml_core.storage.line import Entry, decode
from uml_core.storage.trouble import is_corrupt

log = logging.getLogger(__name__)


def bring_up(path: Path, *, run_id: str, journal: Journal, tell: Tell) -> Database:
    """Do all that comes before the first row; each step may be done again after a failure in a later one.

    :raises Refused: the database is newer than this program, or its folder is no place for one
    :raises Exception: what SQLite, SQLAlchemy or the system said
    """
    place.check(path.parent)
    database = _sound(path, tell)
    try:
        _migrate(database, tell)
        _replay(database, journal)
        database.recover(run_id)
    except BaseException:
        database.close()
        raise
    return database


def _sound(path: Path, tell: Tell) -> Database:
    """The database, or a new one in the place of a damaged one."""
    try:
        return open_database(path)
    except Exception as error:
        if not is_corrupt(error):
            raise
        aside = set_aside(path)
        log.error("the database '%s' is damaged (%s); it is kept as '%s', and a new one is begun", path, error, aside)
        tell("corrupt", {"reason": str(error), "kept": str(aside)})
    return open_database(path)


def _migrate(database: Database, tell: Tell) -> None:
    if (done := database.migrate()) is None:
        return
    step, backup = done
    if step.have is not None:
        log.info("the database was brought from schema %s to %s; the old one is '%s'", step.have, step.want, backup)
        tell("migrated", {"from": step.have, "to": step.want, "backup": str(backup)})


def _replay(database: Database, journal: Journal) -> None:
    """Write what was put but not committed when an earlier gateway was killed."""
    for segment in tuple(journal.left_over):
        found = (decode(line) for line in lines(segment))
        entries = (entry for entry in found if entry)  # none: the torn end, which nobody was told is kept
        for batch in _batches(entries):
            database.write(batch)
        journal.replayed(segment)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH_ROWS)):
        yield batch
