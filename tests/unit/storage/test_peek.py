"""What can be read of a data folder in any state, without touching it."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest

from uml_core.storage import peek as module
from uml_core.storage import place
from uml_core.storage.line import encode
from uml_core.storage.peek import Peeked, peek

SCHEMA = "CREATE TABLE aliases (id TEXT PRIMARY KEY, model_id TEXT); CREATE TABLE pins (id TEXT PRIMARY KEY)"
CRASH = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("PRAGMA journal_mode = WAL")
connection.executescript(sys.argv[2])
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
connection.execute("INSERT INTO aliases VALUES ('a', 'm')")
os.kill(os.getpid(), 9)
"""
ROW = {"a": {"id": "a", "model_id": "m"}}


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def database(folder):
    """A database with one alias and nobody who has it open."""
    with contextlib.closing(sqlite3.connect(folder / "uml.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO aliases VALUES ('a', 'm')")
        connection.commit()
    return folder / "uml.db"


@pytest.fixture
def crashed(folder):
    """A database whose last row is in its log only: its process was killed."""
    subprocess.run([sys.executable, "-c", CRASH, folder / "uml.db", SCHEMA], check=False)
    assert (folder / "uml.db-wal").stat().st_size
    return folder / "uml.db"


@pytest.fixture
def journal(folder):
    def journal(*lines, number=1):
        (folder / "journal").mkdir(exist_ok=True)
        (folder / "journal" / f"{number:08}.jsonl").write_bytes(b"\n" + b"".join(lines))

    return journal


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".db-shm"}


def aliases(folder):
    found = peek(folder, ["aliases"])
    return found.tables["aliases"], found.whole


def test_nothing_is_there(folder):
    assert peek(folder / "nowhere", ["aliases", "pins"]) == Peeked({"aliases": {}, "pins": {}}, whole=True)
    (folder / "uml.db").touch()
    assert aliases(folder) == ({}, True)
    assert aliases(folder / "uml.db") == ({}, True)  # the folder is a file


def test_a_closed_database_is_read_and_left_as_it_is(folder, database):
    before = contents(folder)
    assert aliases(folder) == (ROW, True)
    assert contents(folder) == before
    assert list(folder.iterdir()) == [database]


def test_a_killed_gateways_log_is_read_and_left_as_it_is(folder, crashed):
    before = contents(folder)
    assert aliases(folder) == (ROW, True)
    assert contents(folder) == before
    with contextlib.closing(sqlite3.connect(crashed)) as connection:
        assert connection.execute("SELECT * FROM aliases").fetchall() == [("a", "m")]


def test_the_journal_goes_over_the_database(folder, database, journal):
    journal(
        encode("aliases", "run", {"id": "a", "model_id": "n", "removed": None}),
        encode("aliases", "run", {"id": "b", "model_id": "m"}),
        encode("requests", "run", {"id": "c"}),
        b'["aliases",7]\n["aliases","run",{"id":7}]\n["aliases","run",{}]\n["aliases","run",3]\n',
        b'["aliases","run",{"id":"c","model_i',
    )
    journal(encode("aliases", "run", {"id": "b", "removed": "now"}), number=2)
    found, whole = aliases(folder)
    assert found == {
        "a": {"id": "a", "model_id": "n", "removed": None, "run_id": "run"},
        "b": {"id": "b", "model_id": "m", "removed": "now", "run_id": "run"},
    }
    assert whole


def test_a_journal_without_a_database(folder, journal):
    journal(encode("aliases", "run", {"id": "a", "model_id": "m"}))
    (folder / "journal" / "00000002.jsonl").mkdir()
    assert set(aliases(folder)[0]) == {"a"}


def test_an_older_schema_has_less(folder, database):
    found = peek(folder, ["aliases", "models"])
    assert found == Peeked({"aliases": ROW, "models": {}}, whole=True)


def test_a_later_schema_has_more(folder, database):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("ALTER TABLE aliases ADD COLUMN colour TEXT DEFAULT 'red'")
        connection.execute("CREATE TABLE odd (name TEXT)")
        connection.execute("INSERT INTO odd VALUES ('x')")
        connection.commit()
    found = peek(folder, ["odd", "aliases"])
    assert found == Peeked({"odd": {}, "aliases": {"a": {**ROW["a"], "colour": "red"}}}, whole=True)


@pytest.mark.parametrize(
    "content", [b"once upon a time " * 500, b"SQLite format 3\0", b"SQLite format 3\0" + bytes(9000)]
)
def test_what_is_no_database(folder, content, journal):
    (folder / "uml.db").write_bytes(content)
    journal(encode("aliases", "run", {"id": "a"}))
    found, whole = aliases(folder)
    assert (set(found), whole) == ({"a"}, True)
    assert (folder / "uml.db").read_bytes() == content


def test_of_a_damaged_database_what_can_be_read(folder, database):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executemany("INSERT INTO pins VALUES (?)", [(f"{number:090}",) for number in range(2000)])
        connection.commit()
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // 2)
        file.write(b"\xa5" * 20_000)
    found = peek(folder, ["pins", "aliases"])
    assert (found.tables["aliases"], found.whole) == (ROW, True)
    assert len(found.tables["pins"]) < 2000


def test_a_log_that_is_garbage(folder, database):
    (folder / "uml.db-wal").write_bytes(b"old log")
    assert aliases(folder) == (ROW, True)
    assert (folder / "uml.db-wal").read_bytes() == b"old log"


def test_what_is_locked_by_somebody_is_not_waited_for_long(folder, crashed, monkeypatch):
    monkeypatch.setattr(module, "BUSY_S", 0.01)
    with contextlib.closing(sqlite3.connect(crashed, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("INSERT INTO aliases VALUES ('b', 'm')")
        assert aliases(folder) == ({}, False)
    assert set(aliases(folder)[0]) == {"a", "b"}


def test_a_network_file_system_is_not_trusted(folder, database, journal, monkeypatch):
    monkeypatch.setattr(place, "_file_system", lambda folder, mounts: "nfs4")
    journal(encode("aliases", "run", {"id": "b"}))
    found, whole = aliases(folder)
    assert (set(found), whole) == ({"b"}, False)


def test_text_that_is_no_text(folder, database):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO aliases VALUES ('b', CAST(x'ff' AS TEXT)), (x'00', 'm'), (NULL, 'm'), (7, 'm')")
        connection.commit()
    found, _ = aliases(folder)
    assert found["a"] == ROW["a"]
    assert set(found) <= {"a", "b", "7"}


def test_sqlalchemy_is_not_imported():
    code = (
        "import sys; import uml_core.storage.peek; assert not {'sqlalchemy', 'alembic', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
