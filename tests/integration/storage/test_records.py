"""What is remembered of models is in the database, survives a kill, and is there before the database is open."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from sqlalchemy import select

from uml_core.registry.records import Records
from uml_core.registry.rows import TABLES
from uml_core.storage import Storage
from uml_core.storage.line import stamp
from uml_core.storage.peek import peek
from uml_core.storage.tables import metadata
from uml_core.types import Measurement, ModelCard, Profile, StoredModel

SCANNING = Path(__file__).with_name("scanning.py")
KILLS = [random.Random(number).choice([1, 100, 1_000, 3_000, 10_000]) for number in range(30)]
NOW = datetime.now(UTC)
PROFILE = Profile(
    model_id="a",
    model_bytes=3,
    backend="b",
    engine="e",
    machine="m",
    threads=2,
    spin=False,
    busy=True,
    context_length=4096,
    options={"n": [1]},
    load_s=1.25,
    measured=NOW,
)
MEASUREMENT = Measurement(
    model_id="a",
    backend="b",
    engine="e 1",
    machine="m",
    architecture="llama",
    quantization="Q4_0",
    how="4096x1 batch=512",
    device="cpu",
    kind="compute",
    predicted_bytes=100,
    measured_bytes=90,
    units=4096,
    used=True,
    measured=NOW,
)


@pytest.fixture
def remember(folder, begin):
    """Records as a gateway has them, and the storage behind them."""

    def remember(run_id=None):
        known = peek(folder, TABLES)
        storage = begin(run_id)
        return Records(storage, known=known), storage

    return remember


def put(records, number, store="models"):
    path = Path(f"/models/{number}.gguf")
    card = ModelCard(path=path, format="gguf", files=(path,), size_bytes=number)
    records.put_card(StoredModel(id=f"{number}", path=path, size_bytes=number, store=store), ((number, 1, 2),), card)


def knows(records, number):
    path = Path(f"/models/{number}.gguf")
    card = records.card(path, ((number, 1, 2),))
    return isinstance(card, ModelCard) and (card.path, card.size_bytes) == (path, number)


def fill(records):
    for number in range(600):
        put(records, number)
    records.gone(Path(f"/models/{number}.gguf") for number in range(500))
    for number in range(50):
        records.set_alias(f"alias {number}", f"{number}")
        records.pin(f"{number}", on=True)
        records.put_profile(evolve(PROFILE, model_id=f"{number % 10}", measured=NOW + timedelta(seconds=number)))
        records.count_load(f"{number % 10}")
        later = NOW + timedelta(seconds=number)
        records.put_measurement(evolve(MEASUREMENT, model_id=f"{number % 5}", measured=later), load=f"load {number}")
    for number in range(0, 50, 2):
        records.remove_alias(f"alias {number}")
        records.pin(f"{number}", on=False)


def same(one, other):
    assert one.aliases == other.aliases
    assert one.pins == other.pins
    assert one.measurements(backend="b") == other.measurements(backend="b")
    for number in range(10):
        assert one.profiles(f"{number}") == other.profiles(f"{number}")
        assert one.usage(f"{number}") == other.usage(f"{number}")
    assert all(knows(one, number) == knows(other, number) for number in range(600))


async def test_a_peek_sees_what_sqlalchemy_sees(remember, begin, folder):
    records, storage = remember()
    fill(records)
    storage.close()
    seen = peek(folder, TABLES)
    assert seen.whole
    later = begin()
    for name in TABLES:
        rows = await later.select(select(metadata.tables[name]), limit_s=20)
        assert {row["id"]: row for row in rows} == seen.tables[name]
        assert rows


def test_the_next_process_knows_the_same(remember, folder):
    records, storage = remember()
    fill(records)
    storage.close()
    same(Records.load(folder), records)
    again, storage = remember()
    again.count_load("0")
    again.set_alias("alias 1", "another")
    storage.close()
    last = Records.load(folder)
    assert last.usage("0").loads == records.usage("0").loads + 1
    assert last.aliases == {**records.aliases, "alias 1": "another"}


@pytest.mark.parametrize(
    "cards",
    [1, 600, *(pytest.param(cards, marks=pytest.mark.proof, id=f"proof-{i}") for i, cards in enumerate(KILLS))],
)
def test_kill_while_a_scan_remembers(begin, folder, stored, cards):
    said = {}
    for run in ("one", "two"):  # the second time over what the first has left
        said |= killed(folder, run, cards)
    for when in ("before the next start", "after it"):
        records = Records.load(folder)
        for name, number in said.items():
            path = Path(f"/models/{name}.gguf")
            card = records.card(path, ((int(number), 1, 2),))
            assert isinstance(card, ModelCard), f"{name} is not known {when}"
            assert (card.path, card.size_bytes, len(card.shape.layers)) == (path, int(number), 32)
        tenth = {name: number for name, number in said.items() if int(number) % 10 == 0}
        assert tenth.items() <= records.aliases.items()
        assert set(tenth) <= records.pins
        assert records.usage("a").requests - len(tenth) in range(3)  # one each time that was not said any more
        storage = begin("after")
        storage.flush(60)
        storage.close()
        assert (storage.dropped, storage.degraded, storage.events) == (0, None, [])
    assert stored("PRAGMA integrity_check") == [("ok",)]


def killed(folder, run, cards):
    """What a process said, that was killed after it had said that many."""
    child = subprocess.Popen([sys.executable, SCANNING, folder, run], stdout=subprocess.PIPE)
    try:
        lines = [child.stdout.readline() for _ in range(cards)]
    finally:
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
    whole = [*lines, *rest[: rest.rfind(b"\n") + 1].splitlines()]
    return dict(line.decode().split() for line in whole)


def test_a_burst_of_cards_is_not_dropped(folder):
    storage = Storage(folder, leisure_s=30)  # nobody writes meanwhile
    storage.start()
    records = Records(storage)
    for number in range(5000):
        put(records, number, store="x" * 2000)
    assert storage.dropped == 0
    storage.close()
    assert storage.dropped == 0
    known = Records.load(folder)
    assert all(knows(known, number) for number in range(5000))


def test_aliases_and_pins_outlive_a_damaged_database(remember, folder, stored):
    records, storage = remember()
    fill(records)
    storage.close()
    garble(folder / "uml.db")
    records, storage = remember("second")
    records.set_alias("new", "model")
    records.pin("new", on=True)
    storage.flush()
    assert [kind for kind, _ in storage.events] == ["corrupt"]
    records.put_all()  # as who hears of that does
    storage.close()
    again = Records.load(folder)
    same(again, records)
    assert again.aliases["new"] == "model"
    assert "new" in again.pins
    assert stored("PRAGMA integrity_check") == [("ok",)]


def test_what_was_put_after_the_damage_is_in_the_journal(remember, folder):
    records, storage = remember()
    fill(records)
    storage.close()
    (folder / "uml.db").write_bytes(b"once upon a time there was no database " * 500)
    child = (
        "import os, sys; from pathlib import Path; from uml_core.registry.records import Records;"
        "from uml_core.storage import Storage; storage = Storage(Path(sys.argv[1]), leisure_s=60);"
        "records = Records.load(Path(sys.argv[1]), storage); assert not records.aliases; storage.start();"
        "records.set_alias('new', 'model'); records.pin('model', on=True); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", child, folder], check=False)
    for _ in range(2):
        records, storage = remember()
        assert (dict(records.aliases), records.pins) == ({"new": "model"}, {"model"})
        storage.flush()
        storage.close()


def test_rows_that_are_only_in_the_journal_are_known(folder):
    storage = Storage(folder, leisure_s=30)
    storage.start()
    records = Records(storage)
    for number in range(30):
        put(records, number)
        records.set_alias(f"alias {number}", f"{number}")
    records.remove_alias("alias 7")
    storage.close(leaving=True)
    assert not (folder / "uml.db").exists()
    same(Records.load(folder), records)


def garble(path):
    """Damage the pages of the cards; those of the small tables stay."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        pages = [page for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE name = 'models'")]
    with path.open("r+b") as file:
        for page in pages[len(pages) // 2 :]:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)


def test_what_is_gone_for_months_is_forgotten(remember, begin, folder, stored):
    records, storage = remember()
    for number in range(4):
        put(records, number)
        records.put_profile(evolve(PROFILE, model_id=f"{number}"))
        records.count_load(f"{number}")
    long_ago, lately = stamp(NOW - timedelta(days=91)), stamp(NOW - timedelta(days=89))
    for number, gone in ((0, long_ago), (1, lately), (2, long_ago)):
        storage.put("models", {"id": f"/models/{number}.gguf", "gone": gone})
    storage.put("models", {"id": "/elsewhere/2.gguf", "model_id": "2", "gone": None})  # the same one at another place
    for name, removed in (("old", long_ago), ("new", lately), ("stands", None)):
        storage.put("aliases", {"id": name, "model_id": "1", "removed": removed})
        storage.put("pins", {"id": name, "removed": removed})
    storage.close()
    last = begin("next")  # prunes at its start
    last.flush()
    last.close()
    assert [id for (id,) in stored("SELECT id FROM models ORDER BY id")] == [
        "/elsewhere/2.gguf",
        "/models/1.gguf",
        "/models/3.gguf",
    ]
    assert stored("SELECT model_id FROM profiles ORDER BY 1") == [("1",), ("2",), ("3",)]
    assert stored("SELECT id FROM usage ORDER BY 1") == [("1",), ("2",), ("3",)]
    assert stored("SELECT id FROM aliases ORDER BY 1") == [("new",), ("stands",)]
    assert stored("SELECT id FROM pins ORDER BY 1") == [("new",), ("stands",)]


def test_the_newest_profiles_of_each_backend_and_source_are_kept(begin, remember, stored):
    records, storage = remember()
    for number in range(30):
        for backend, source in (("b", "bench"), ("b", "served"), ("c", "bench")):
            at = NOW + timedelta(seconds=number)
            records.put_profile(evolve(PROFILE, backend=backend, source=source, measured=at))
    storage.close()
    last = begin("next")
    last.flush()
    last.close()
    found = stored("SELECT backend, source, count(*), min(measured) FROM profiles GROUP BY 1, 2 ORDER BY 1, 2")
    oldest = stamp(NOW + timedelta(seconds=10))
    assert found == [("b", "bench", 20, oldest), ("b", "served", 20, oldest), ("c", "bench", 20, oldest)]


def test_the_newest_measurements_of_each_model_device_and_kind_are_kept(begin, remember, stored, folder):
    records, storage = remember()
    for number in range(30):
        for kind, engine in (("compute", "e 1"), ("weights", "e 1"), ("weights", "e 2")):
            one = evolve(MEASUREMENT, kind=kind, engine=engine, measured=NOW + timedelta(seconds=number))
            records.put_measurement(one, load=f"{engine} {number}")
    kept = records.measurements(backend="b")
    storage.close()
    last = begin("next")
    last.flush()
    last.close()
    found = stored("SELECT engine, kind, count(*), min(measured) FROM measurements GROUP BY 1, 2 ORDER BY 1, 2")
    oldest = stamp(NOW + timedelta(seconds=10))
    assert found == [("e 1", "compute", 20, oldest), ("e 1", "weights", 20, oldest), ("e 2", "weights", 20, oldest)]
    assert set(Records.load(folder).measurements(backend="b")) == set(kept)


def test_of_all_measurements_the_newest_are_kept(begin, remember, stored):
    records, storage = remember()
    for number in range(2_100):
        one = evolve(MEASUREMENT, model_id=f"{number}", measured=NOW + timedelta(seconds=number))
        records.put_measurement(one, load="x" * (number + 1))
    storage.close()
    last = begin("next")
    last.flush()
    last.close()
    assert stored("SELECT count(*), min(CAST(model_id AS INTEGER)) FROM measurements") == [(2_000, 100)]
