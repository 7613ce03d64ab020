"""Rows in, rows out, on a machine where all is well."""

import asyncio
import stat
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import insert, select, text

from uml_core.errors import StorageError
from uml_core.storage import Storage, retention
from uml_core.storage.tables import requests


def load(number, **values):
    return {
        "id": f"job-{number}", "kind": "load", "model_id": "m", "backend": "b", "state": "committed",
        "start_s": float(number), "finished": f"2026-01-01T00:00:{number:02}.000000+00:00", **values,
    }  # fmt: skip


async def test_a_row_grows_and_keeps_what_is_not_given(begin):
    storage = begin("run-1")
    storage.put("requests", {"id": "a", "status": "started", "streamed": True, "path": "/v1/completions"})
    storage.flush()
    storage.put("requests", {"id": "a", "status": "ok", "total_s": 0.5})
    storage.put("loads", {"id": "j", "options": {"n_ctx": 8192}, "request": None, "rolled_back": False})
    (row,) = await storage.select(select(requests))
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": "a", "run_id": "run-1", "status": "ok", "streamed": True, "path": "/v1/completions", "total_s": 0.5,
    }  # fmt: skip
    loads = await storage.select(
        lambda c: c.execute(text("SELECT options, request, rolled_back FROM loads")).mappings()
    )
    assert loads == [{"options": '{"n_ctx": 8192}', "request": None, "rolled_back": 0}]


async def test_starting_waits_for_nothing_and_rows_may_come_at_once(begin):
    begun = time.perf_counter()
    storage = begin()
    assert time.perf_counter() - begun < 1.0  # opening alone takes longer, for SQLAlchemy is imported
    storage.put("requests", {"id": "early"})
    assert await storage.select(select(requests.c.id)) == [{"id": "early"}]
    assert (storage.degraded, storage.dropped, storage.events) == (None, 0, [])


async def test_two_threads_put(begin):
    storage = begin()

    def put(name):
        for number in range(2000):
            storage.put("requests", {"id": f"{name}-{number}", "status": "started"})
            storage.put("requests", {"id": f"{name}-{number}", "status": "ok"})

    threads = [threading.Thread(target=put, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    found = await storage.select(text("SELECT status, count(*) AS n FROM requests GROUP BY status"))
    assert found == [{"status": "ok", "n": 4000}]
    assert storage.dropped == 0


def test_closing_writes_what_is_there_and_leaves_no_journal(begin, stored, folder):
    storage = begin()
    for number in range(3000):
        storage.put("requests", {"id": f"{number}"})
    storage.close()
    assert stored("SELECT count(*) FROM requests") == [(3000,)]
    assert sorted(path.name for path in folder.iterdir()) == ["journal", "uml.db"]
    assert list((folder / "journal").iterdir()) == []


async def test_after_the_end_rows_are_counted_and_questions_refused(begin):
    storage = begin()
    storage.flush()
    storage.close()
    storage.close()
    storage.put("requests", {"id": "late"})
    assert storage.dropped == 1
    storage.flush()
    with pytest.raises(StorageError, match="closed"):
        await storage.select(select(requests))
    assert await storage.last_load() is None


def test_a_storage_that_never_started_can_be_closed(folder):
    Storage(folder).close()
    assert not folder.exists()


def test_only_this_user_can_read(begin, folder):
    folder.mkdir(mode=0o700)
    (folder / "uml.db").touch(mode=0o644)
    storage = begin()
    storage.put("requests", {"id": "a"})
    storage.flush()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}
    assert {"uml.db", "uml.db-wal"} <= set(modes)


async def test_the_settings_hold(begin):
    storage = begin()

    def read(connection):
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "locking_mode", "busy_timeout")
        yield {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert await storage.select(read) == [
        {
            "journal_mode": "wal",
            "synchronous": 1,
            "foreign_keys": 1,
            "trusted_schema": 0,
            "locking_mode": "exclusive",
            "busy_timeout": 5000,
        }
    ]


async def test_a_long_question_is_cut_off_and_harms_no_other(begin):
    storage = begin()
    forever = text("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c")
    await storage.select(select(requests))
    with pytest.raises(StorageError, match="did not answer"):
        await storage.select(forever, limit_s=0.2)
    storage.put("requests", {"id": "a"})
    assert await storage.select(select(requests.c.id)) == [{"id": "a"}]


async def test_who_gave_up_is_not_answered(begin):
    storage = begin()
    asked = threading.Event()
    await storage.select(select(requests))
    first = asyncio.create_task(storage.select(lambda c: [{"went_on": threading.Event().wait(0.2)}]))
    second = asyncio.create_task(storage.select(lambda c: [{"asked": asked.set()}]))
    await asyncio.sleep(0.05)
    second.cancel()
    assert await first == [{"went_on": False}]
    with pytest.raises(asyncio.CancelledError):
        await second
    await storage.select(select(requests))
    assert not asked.is_set()


async def test_a_question_changes_nothing_and_its_fault_is_its_own(begin):
    storage = begin()

    def write(connection):
        connection.execute(insert(requests).values(id="x"))
        return connection.execute(select(requests.c.id)).mappings()

    assert await storage.select(write) == [{"id": "x"}]
    assert await storage.select(select(requests)) == []
    with pytest.raises(StorageError, match=r"could not answer: no such table: colours$"):
        await storage.select(text("SELECT * FROM colours"))
    assert storage.degraded is None


async def test_the_seconds_of_earlier_loads(begin):
    storage = begin()
    for number in range(1, 13):
        storage.put("loads", load(number))
    others = ({"model_id": "n"}, {"backend": "c"}, {"state": "failed"}, {"kind": "unload", "start_s": None})
    for number, values in enumerate(others, 20):
        storage.put("loads", load(number, **values))
    assert await storage.load_seconds("m", "b") == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert await storage.load_seconds("nobody", "b") == []


async def test_the_last_load(begin):
    storage = begin()
    assert await storage.last_load() is None
    storage.put("loads", load(1, request={"model": "m"}, options={"a": 1}))
    storage.put("loads", load(2, model_id="n", state="rolled_back"))
    row = await storage.last_load()
    assert (row["model_id"], row["request"], row["options"]) == ("m", {"model": "m"}, {"a": 1})
    storage.put("loads", load(3, kind="unload", state="failed"))
    assert (await storage.last_load())["id"] == "job-1"
    storage.put("loads", load(4, kind="unload"))
    assert await storage.last_load() is None
    storage.put("loads", load(5, kind="restart"))
    assert await storage.last_load() is None, "nobody asked for it"
    storage.put("loads", load(6))
    storage.put("loads", load(7, start_s=None))
    assert (await storage.last_load())["id"] == "job-6", "one that was loaded already says less of how"


async def test_a_row_that_cannot_be_kept_costs_only_itself(begin, caplog):
    storage = begin()
    circle = {"id": "circle"}
    circle["options"] = circle
    for row in (circle, {"id": "big", "http_status": 2**70}, {"id": "odd", "streamed": "perhaps"}, {"status": "ok"}):
        storage.put("requests", {"id": f"before {row.get('id')}"})
        storage.put("requests", row)
    storage.put("nowhere", {"id": "a"})
    storage.put("requests", {"id": "after", "http_status": 200})
    found = await storage.select(select(requests.c.id).order_by("id"))
    assert [row["id"] for row in found] == ["after", "before None", "before big", "before circle", "before odd"]
    assert (storage.dropped, storage.degraded) == (5, None)
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 5


async def test_a_long_backlog_in_a_good_hour_loses_nothing(begin):
    storage = begin()  # still opening: nothing is written yet
    for number in range(25_000):
        storage.put("requests", {"id": f"{number}"})
    storage.flush()
    assert await storage.select(text("SELECT count(*) AS n FROM requests")) == [{"n": 25_000}]
    assert storage.dropped == 0


async def test_the_journal_is_cut_while_it_works(begin, folder):
    storage = begin()
    for number in range(4):
        for part in range(1000):
            storage.put("requests", {"id": f"{number}-{part}", "path": "x" * 300})
        storage.flush()
        storage.put("requests", {"id": f"{number}"})
        storage.flush()
    sizes = [path.stat().st_size for path in (folder / "journal").iterdir()]
    assert len(sizes) <= 2
    assert sum(sizes) < 1_000_000


async def test_old_rows_and_rows_too_many_go_in_small_steps(begin, monkeypatch):
    monkeypatch.setattr(retention, "KEEP_ROWS", 100)
    monkeypatch.setattr(retention, "STEP_ROWS", 30)
    storage = begin("first")
    for number in range(350):
        storage.put("requests", {"id": f"{number:03}", "started": f"2999-01-01T00:{number // 60:02}:{number % 60:02}"})
    for number in range(50):
        storage.put("transitions", {"id": f"{number}", "at": f"20{number:02}-01-01T00:00:00.000000+00:00"})
    for number in range(1, 51):
        storage.put("loads", load(number))
    storage.close()
    later = begin("second")
    later.flush()

    async def count():
        found = await later.select(text("SELECT count(*) AS n, min(id) AS oldest FROM requests"))
        return found[0]["n"], found[0]["oldest"]

    deadline = time.monotonic() + 10
    while (await count())[0] > 100:
        assert time.monotonic() < deadline
    assert await count() == (100, "250")
    (left,) = await later.select(text("SELECT min(at) AS oldest FROM transitions"))
    assert left["oldest"] > "2025"
    assert await later.select(text("SELECT count(*) AS n FROM loads")) == [{"n": 50}]


async def test_a_listener_that_fails_stops_nothing(folder, caplog):
    folder.mkdir()
    (folder / "uml.db").write_bytes(b"this is no database" * 100)

    def listen(kind, facts):
        raise RuntimeError("no")

    storage = Storage(folder, on_event=listen)
    storage.start()
    try:
        storage.put("requests", {"id": "a"})
        assert await storage.select(select(requests.c.id)) == [{"id": "a"}]
    finally:
        storage.close()
    assert "a listener of the database failed" in caplog.text


def test_a_start_with_a_current_schema_imports_no_alembic(begin, folder):
    storage = begin()
    storage.flush()
    storage.close()
    code = (
        "import sys; from pathlib import Path; from uml_core.storage import Storage\n"
        "storage = Storage(Path(sys.argv[1])); storage.start(); storage.flush(); storage.close()\n"
        "print('sqlalchemy' in sys.modules, 'alembic' in sys.modules, storage.degraded)"
    )
    ran = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False", "None"]


async def test_who_leaves_early_opens_no_database_and_loses_nothing(tmp_path):
    first = Storage(tmp_path, leisure_s=60)
    first.start()
    first.put("requests", {"id": "a", "status": "ok"})
    first.close(leaving=True)
    assert not (tmp_path / "uml.db").exists()
    second = Storage(tmp_path)
    second.start()
    rows = await second.select(select(requests.c.id, requests.c.status))
    second.close()
    assert rows == [{"id": "a", "status": "ok"}]
