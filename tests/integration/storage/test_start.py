"""What a start finds: left-over rows, open ends, damaged files, and databases that are not for this program."""

import json
import sqlite3

import pytest
from sqlalchemy import select

from uml_core.errors import StorageError
from uml_core.storage import database, place
from uml_core.storage.tables import requests


def line(id_, run_id="killed", table="requests", **values):
    return json.dumps([table, run_id, {"id": id_, **values}]).encode() + b"\n"


def filled(begin, rows=2000):
    """A database with data over many pages."""
    storage = begin("first")
    for number in range(rows):
        storage.put("requests", {"id": f"{number}", "path": "x" * 100, "status": "ok"})
    storage.close()


async def test_rows_of_a_killed_gateway_are_written_and_closed(begin, left_over, folder):
    left_over(line("a", status="started"), line("b", status="started"))
    left_over(line("a", status="ok"), line("c", status="started")[:-9], number=2)
    storage = begin("next")
    storage.put("requests", {"id": "d", "status": "started"})
    found = await storage.select(select(requests.c.id, requests.c.run_id, requests.c.status).order_by("id"))
    assert [tuple(row.values()) for row in found] == [
        ("a", "killed", "ok"),
        ("b", "killed", "aborted"),
        ("d", "next", "started"),
    ]
    assert [path.name for path in (folder / "journal").iterdir()] == ["00000003.jsonl"]


async def test_a_torn_line_in_the_middle_costs_only_itself(begin, left_over):
    left_over(
        line("a"), line("b")[:20] + b"\n", b"\x00\xff garbage\n", b"\n", line("c"), b"[" * 50_000 + b"\n", line("d")
    )
    storage = begin()
    assert [row["id"] for row in await storage.select(select(requests.c.id).order_by("id"))] == ["a", "c", "d"]
    assert storage.degraded is None


def test_to_write_left_over_rows_again_changes_nothing(begin, left_over, stored):
    rows = [line(f"{number}", status=status) for number in range(400) for status in ("started", "ok")]
    for segment in (rows, rows, rows[300:]):
        left_over(*segment)
        storage = begin()
        storage.flush()
        storage.close()
    assert stored("SELECT status, count(*) FROM requests GROUP BY status") == [("ok", 400)]


async def test_a_left_over_row_that_cannot_be_kept_stops_nothing(begin, left_over):
    left_over(
        line("a"), line("b", table="nowhere"), line("c", http_status=2**70), line("d", colour="red"), b"[1, 2, {}]"
    )
    storage = begin()
    assert [row["id"] for row in await storage.select(select(requests.c.id).order_by("id"))] == ["a", "d"]


async def test_a_load_without_an_end_gets_one(begin, left_over, stored):
    left_over(
        line("open", table="loads", state="starting", model_id="m"),
        line("done", table="loads", state="committed", finished="2026-01-01"),
    )
    storage = begin("next")
    storage.put("loads", {"id": "mine", "state": "starting"})
    storage.close()
    found = stored("SELECT id, state, cause_code, finished > '2026-02', cause FROM loads ORDER BY id")
    assert found == [
        ("done", "committed", None, 0, None),
        ("mine", "starting", None, None, None),
        ("open", "failed", "gateway_killed", 1, "the gateway ended while this job was running; load the model again"),
    ]


def truncated(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 100)


def garbled(path):
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 20_000)


def replaced(path):
    path.write_bytes(b"once upon a time there was no database " * 500)


def beheaded(path):
    with path.open("r+b") as file:
        file.truncate(50)


@pytest.mark.parametrize("damage", [truncated, garbled, replaced, beheaded], ids=lambda damage: damage.__name__)
async def test_a_damaged_database_is_kept_aside_and_a_new_one_begun(begin, folder, damage, caplog, left_over):
    filled(begin)
    damage(folder / "uml.db")
    before = (folder / "uml.db").read_bytes()
    (folder / "uml.db-wal").write_bytes(b"old log")
    left_over(line("left over"))
    storage = begin("second")
    storage.put("requests", {"id": "new"})
    found = await storage.select(select(requests.c.id).order_by("id"))
    assert [row["id"] for row in found] == ["left over", "new"]
    (aside,) = folder.glob("uml.db.corrupt-*Z")
    assert aside.read_bytes() == before
    assert storage.degraded is None
    ((kind, facts),) = storage.events
    assert (kind, facts["kept"]) == ("corrupt", str(aside))
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert str(aside) in record.message
    storage.close()
    assert not (folder / "uml.db-wal").exists()


async def test_an_empty_file_is_a_new_database(begin, folder):
    folder.mkdir()
    (folder / "uml.db").touch()
    storage = begin()
    assert await storage.select(select(requests)) == []
    assert storage.events == []
    assert sorted(path.name for path in folder.iterdir()) == ["journal", "uml.db", "uml.db-wal"]


async def test_a_newer_database_is_left_alone_and_the_program_runs_without(begin, folder, left_over, stored):
    filled(begin, rows=10)
    with sqlite3.connect(folder / "uml.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    left_over(line("for the newer program"), number=7)
    storage = begin()
    storage.flush()
    assert "written by a newer UML (its schema is '9999', this one knows up to '0003'): install" in storage.degraded
    storage.put("requests", {"id": "x"})
    storage.flush()
    with pytest.raises(StorageError, match="newer UML"):
        await storage.select(select(requests))
    assert await storage.load_seconds("m", "b") == []
    assert storage.dropped == 1
    assert [kind for kind, _ in storage.events] == ["degraded"]
    storage.close()
    assert stored("SELECT count(*) FROM requests") == [(10,)]
    assert [path.name for path in (folder / "journal").iterdir()] == ["00000007.jsonl"]
    assert not list(folder.glob("*corrupt*"))
    assert not list(folder.glob("*before*"))


def test_a_network_file_system_is_refused(begin, folder, monkeypatch):
    monkeypatch.setattr(place, "_file_system", lambda folder, mounts: "nfs4")
    storage = begin()
    storage.flush()
    assert "network file system (nfs4)" in storage.degraded
    storage.close()
    assert not (folder / "uml.db").exists()
    assert list((folder / "journal").iterdir()) == []


async def test_who_else_has_it_open_is_waited_for(begin, folder, monkeypatch, until):
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    filled(begin, rows=10)
    other = sqlite3.connect(folder / "uml.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    storage = begin()
    storage.flush()
    assert "(database is locked): end the other program that has it open" in storage.degraded
    storage.put("requests", {"id": "meanwhile"})
    assert await storage.last_load() is None
    other.execute("ROLLBACK")
    other.close()
    until(lambda: storage.degraded is None)
    assert len(await storage.select(select(requests.c.id))) == 11
    assert [kind for kind, _ in storage.events] == ["degraded", "recovered"]


def test_a_folder_that_is_a_file_stops_no_start(begin, folder, until):
    folder.touch()
    storage = begin()
    storage.flush()
    assert storage.degraded.startswith(f"the database '{folder / 'uml.db'}' can't be written (")
    storage.put("requests", {"id": "a"})
    folder.unlink()
    until(lambda: storage.degraded is None)
    storage.close()
    assert (storage.dropped, [kind for kind, _ in storage.events]) == (0, ["degraded", "recovered"])


async def test_a_database_that_breaks_while_it_is_used_is_replaced(begin, folder, until):
    filled(begin)
    storage = begin("second")
    await storage.select(lambda c: c.exec_driver_sql("PRAGMA shrink_memory") and ())  # pages come from the disk again
    garbled(folder / "uml.db")
    for number in range(0, 2000, 2):
        storage.put("requests", {"id": f"{number}", "status": "error"})
    until(lambda: list(folder.glob("*corrupt*")) and storage.degraded is None)
    found = {row["id"]: row["status"] for row in await storage.select(select(requests))}
    assert found["1998"] == "error"  # what was written into damaged pages before the first error is not known
    assert set(found.values()) == {"error"}
    assert [kind for kind, _ in storage.events] == ["degraded", "corrupt", "recovered"]
