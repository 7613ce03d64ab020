"""A real storage in a folder of its own, and a look into what it wrote."""

import contextlib
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from uml_core.storage import Storage, migration

STEP = '''
"""A step of the tests."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.create_table("notes", sa.Column("id", sa.Text, primary_key=True))
    op.add_column("requests", sa.Column("colour", sa.Text))
    op.execute("UPDATE requests SET colour = 'red'")
    {last}
'''


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def begin(folder):
    """Start a storage that writes its events down; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:

        def begin(run_id=None):
            events = []
            storage = Storage(folder, run_id=run_id, on_event=lambda kind, facts: events.append((kind, dict(facts))))
            storage.events = events
            stack.callback(storage.close)
            storage.start()
            return storage

        yield begin


@pytest.fixture
def stored(folder):
    """What a query finds in the closed database."""

    def stored(sql, path=None):
        with contextlib.closing(sqlite3.connect(path or folder / "uml.db")) as connection:
            return connection.execute(sql).fetchall()

    return stored


@pytest.fixture
def until():
    def until(condition, limit_s=20.0):
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.01)

    return until


@pytest.fixture
def left_over(folder):
    """Put lines where a killed gateway would have left them."""

    def left_over(*lines, number=1):
        journal = folder / "journal"
        journal.mkdir(parents=True, exist_ok=True)
        (journal / f"{number:08}.jsonl").write_bytes(b"".join(lines))

    return left_over


@pytest.fixture
def next_schema(tmp_path, monkeypatch):
    """The migrations of a later version, which has one more step, that ends with *last*."""

    def next_schema(last="pass", *, use=True):
        fresh = tmp_path / "migrations %d"
        shutil.copytree(Path(migration.__file__).with_name("migrations"), fresh, dirs_exist_ok=True)
        (fresh / "versions" / "v0004_notes.py").write_text(STEP.format(last=last))
        if use:
            monkeypatch.setattr(migration, "FOLDER", fresh)
        return fresh

    return next_schema
