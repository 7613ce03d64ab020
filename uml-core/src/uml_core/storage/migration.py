"""From the schema that a database has to the one that this program knows, whole or not at all."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from attrs import frozen
from sqlalchemy import Connection

from uml_core.storage.trouble import Refused, is_corrupt, is_outside

FOLDER = Path(__file__).with_name("migrations")
log = logging.getLogger(__name__)


@frozen
class Migration:
    """What a database needs: from one revision, None for an empty one, to another."""

    have: str | None
    want: str


def needed(raw: sqlite3.Connection, path: Path) -> Migration | None:
    """Compare the revisions, without Alembic: it takes longer to import than all the rest takes.

    :raises Refused: the database is newer than this program
    """
    have, known = _revision(raw), _known()
    if have == known[-1]:
        return None
    if have is not None and have not in known:
        raise Refused(
            f"the database '{path}' was written by a newer UML (its schema is '{have}', this one knows up to "
            f"'{known[-1]}'): install that version, or move the file away; models are served as before, but nothing is "
            "recorded"
        )
    return Migration(have, known[-1])


def migrate(connection: Connection) -> None:
    """Run the missing steps in one transaction.

    :raises Refused: a step itself is at fault, so that another try would end the same
    """
    try:
        with connection.begin():
            _upgrade(connection)
    except Exception as error:
        if is_outside(error) or is_corrupt(error):
            raise
        log.exception("the database could not be migrated")
        raise Refused(
            f"the database can't be brought to this version's schema ({error}): it is as it was; go back to the "
            "version before, or move the file away; models are served as before, but nothing is recorded"
        ) from error


def back_up(raw: sqlite3.Connection, path: Path, migration: Migration) -> Path:
    """Copy the database to ``….before-REVISION`` beside it: whole, on the disk, and only for this user."""
    backup = path.with_name(f"{path.name}.before-{migration.want}")
    unfinished = backup.with_name(f"{backup.name}.new")
    unfinished.unlink(missing_ok=True)
    file = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        raw.execute("VACUUM INTO ?", (str(unfinished),))
        os.fsync(file)  # SQLite leaves that to the caller
    finally:
        os.close(file)
    return unfinished.replace(backup)


def _revision(raw: sqlite3.Connection) -> str | None:
    if not raw.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'").fetchone():
        return None
    row = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _known() -> list[str]:
    """The revisions of this program: the files' names begin with them."""
    return sorted(path.name[1:5] for path in (FOLDER / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))


def _upgrade(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins while it is imported

    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
