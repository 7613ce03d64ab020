"""From an older schema to this one: whole, with a backup, or not at all."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from uml_core.registry.records import Records
from uml_core.storage import migration
from uml_core.storage.tables import metadata

OLD = Path(__file__).with_name("schema_0001.sql")
CHILD = """
import sys
from pathlib import Path
from uml_core.storage import Storage, migration
migration.FOLDER = Path(sys.argv[2])
storage = Storage(Path(sys.argv[1]))
storage.start()
storage.put("requests", {"id": "put while it migrates"})
storage.put("aliases", {"id": "put", "model_id": "while it migrates"})
storage.flush(60)
"""
STOP = "import time; print('in the middle', flush=True); time.sleep(60)"


@pytest.fixture
def data(begin):
    """A database of the first schema with rows."""
    storage = begin("old")
    for number in range(1000):
        storage.put("requests", {"id": f"{number}", "status": "ok"})
    storage.close()


def test_the_migrations_make_the_tables(begin, folder):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    storage = begin()
    storage.flush()
    storage.close()
    engine = create_engine(f"sqlite:///{folder / 'uml.db'}")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


async def test_a_later_version_brings_the_data_along_and_keeps_a_backup(begin, data, next_schema, stored, folder):
    next_schema()
    storage = begin("new")
    storage.put("requests", {"id": "after", "status": "ok"})
    storage.close()
    assert storage.degraded is None
    assert storage.events == [
        ("migrated", {"from": "0003", "to": "0004", "backup": str(folder / "uml.db.before-0004")})
    ]
    assert stored("SELECT colour, count(*) FROM requests GROUP BY colour") == [(None, 1), ("red", 1000)]
    assert stored("SELECT version_num FROM alembic_version") == [("0004",)]
    backup = folder / "uml.db.before-0004"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert stored("SELECT version_num, count(*) FROM alembic_version, requests", backup) == [("0003", 1000)]
    again = begin("again")
    again.flush()
    assert again.events == []


@pytest.fixture
def old(folder):
    """A file that the version with the first schema has left."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "uml.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(OLD.read_text("utf-8"))
    return rows_of(folder / "uml.db")


def rows_of(path):
    with closing(sqlite3.connect(path)) as connection:
        tables = ("transitions", "loads", "requests")
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in tables}


def test_a_file_of_the_first_schema_gets_the_new_tables_and_keeps_all_its_rows(begin, folder, old, stored):
    assert [len(rows) for rows in old.values()] == [9, 4, 12]
    assert Records.load(folder).aliases == {}
    storage = begin("new")
    records = Records(storage)
    records.set_alias("small", "org/model")
    storage.close()
    assert storage.degraded is None
    backup = folder / "uml.db.before-0003"
    assert storage.events == [("migrated", {"from": "0001", "to": "0003", "backup": str(backup)})]
    assert rows_of(backup) == old
    # The request that was open when that gateway ended is closed, as ever.
    ended = [tuple("aborted" if value == "started" else value for value in row) for row in old["requests"]]
    assert rows_of(folder / "uml.db") == {**old, "requests": ended}
    assert stored("SELECT id, model_id, run_id FROM aliases") == [("small", "org/model", "new")]
    assert Records.load(folder).aliases == {"small": "org/model"}


def test_kill_in_the_middle_of_the_migration_from_the_first_schema(begin, folder, old, next_schema, stored):
    killed(folder, next_schema(STOP, use=False))  # in the step after those that are real
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    assert stored("SELECT version_num FROM alembic_version", copy / "uml.db") == [("0001",)]
    tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('models', 'measurements', 'notes')"
    assert stored(tables, copy / "uml.db") == [(0,)]
    assert rows_of(copy / "uml.db") == old == rows_of(folder / "uml.db.before-0004")
    assert Records.load(folder).aliases == {"put": "while it migrates"}
    storage = begin("next")
    storage.flush()
    storage.close()
    assert storage.degraded is None
    found = rows_of(folder / "uml.db")
    assert (found["transitions"], found["loads"]) == (old["transitions"], old["loads"])
    assert {row[0] for row in found["requests"]} == {row[0] for row in old["requests"]} | {"put while it migrates"}
    assert stored("SELECT id, model_id FROM aliases") == [("put", "while it migrates")]
    assert stored("PRAGMA integrity_check") == [("ok",)]


def killed(folder, migrations):
    """Kill a process in the middle of its migration."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, folder, migrations], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"in the middle\n"
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()


def test_a_new_database_needs_no_backup(begin, next_schema, stored, folder):
    next_schema()
    storage = begin()
    storage.flush()
    storage.close()
    assert stored("SELECT version_num FROM alembic_version") == [("0004",)]
    assert storage.events == []
    assert not list(folder.glob("*before*"))


def test_a_step_that_fails_leaves_all_as_it_was(begin, data, next_schema, stored):
    next_schema("raise ValueError('the step is wrong')")
    storage = begin()
    storage.flush()
    assert "can't be brought to this version's schema (the step is wrong): it is as it was" in storage.degraded
    storage.close()
    assert stored("SELECT version_num FROM alembic_version") == [("0003",)]
    assert stored("SELECT count(*) FROM sqlite_master WHERE name = 'notes'") == [(0,)]
    assert stored("SELECT count(*) FROM requests") == [(1000,)]


@pytest.mark.parametrize("fresh", [False, True], ids=["with data", "new"])
def test_kill_in_the_middle_of_a_migration(begin, folder, next_schema, stored, fresh, request):
    if not fresh:
        request.getfixturevalue("data")
    killed(folder, next_schema(STOP, use=False))
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    version = "SELECT group_concat(name) FROM sqlite_master WHERE name IN ('notes', 'alembic_version')"
    assert stored(version, copy / "uml.db") == [(None if fresh else "alembic_version",)]
    next_schema()
    storage = begin("next")
    storage.flush()
    storage.close()
    assert storage.degraded is None
    assert stored("SELECT version_num FROM alembic_version") == [("0004",)]
    assert stored("SELECT count(*), sum(id = 'put while it migrates') FROM requests") == [(1 if fresh else 1001, 1)]
    assert stored("PRAGMA integrity_check") == [("ok",)]


def test_the_newest_step_is_the_one_that_alembic_finds():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migration.FOLDER))
    script = ScriptDirectory.from_config(config)
    assert [script.get_current_head()] == script.get_heads()
    assert [step.revision for step in script.walk_revisions()][::-1] == migration._known()
