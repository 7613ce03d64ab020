"""What is remembered of models, and the rows that storage gets of it."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from uml_core.errors import BadRequestError, InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.registry.card_row import CARDS
from uml_core.registry.records import PROFILES, Records
from uml_core.storage import NoStorage
from uml_core.storage.peek import Peeked
from uml_core.types import Measurement, ModelCard, ModelFormat, ModelSource, Profile, Shape, StoredModel, Usage
from uml_core.types.card import Layer

PATH = Path("/models/a-Q4_0.gguf")
MODEL = StoredModel(id="a-Q4_0", path=PATH, size_bytes=3, store="models")
CARD = ModelCard(path=PATH, format="gguf", files=(PATH,), size_bytes=3, shape=Shape(layers=(Layer(kv_heads=2),) * 3))
SIGNED = ((7, 3, 1_700_000_000_000_000_001),)
PROFILE = Profile(
    model_id="a",
    model_bytes=3,
    backend="llamacpp",
    engine="llama-cpp-python 0.3",
    machine="a machine",
    threads=2,
    context_length=4096,
    options={"n_batch": 512},
    decode_tokens_per_s=12.5,
    measured=datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC),
)


class Kept(NoStorage):
    """A storage that gathers its rows as the database would: later columns over earlier ones."""

    def __init__(self):
        super().__init__()
        self.tables = {}
        self.count = 0

    def put(self, table, row):
        self.count += 1
        self.tables.setdefault(table, {}).setdefault(row["id"], {}).update(row)

    def again(self, *, whole=True):
        """What the next process would know."""
        return Records(self, known=self.known(whole=whole))

    def known(self, *, whole=True):
        return Peeked(
            {table: {id: dict(row) for id, row in rows.items()} for table, rows in self.tables.items()}, whole
        )


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def records(kept):
    return Records(kept)


def test_nothing_is_known_at_first():
    records = Records()
    assert records.card(PATH, SIGNED) is None
    assert records.files_of(PATH) == (PATH,)
    assert (records.aliases, records.pins, records.profiles("a"), records.usage("a")) == ({}, frozenset(), (), Usage())
    assert records.gone([]) == 0


def test_a_card_is_known_as_long_as_the_signature_is_the_same(records, kept):
    records.put_card(MODEL, SIGNED, CARD)
    for known in (records, kept.again()):
        assert known.card(PATH, SIGNED) == known.card(PATH, SIGNED) == CARD
        assert known.files_of(PATH) == (PATH,)
        for other in ((), ((7, 3, 1_700_000_000_000_000_000),), ((7, 4, SIGNED[0][2]),), (SIGNED[0], SIGNED[0])):
            assert known.card(PATH, other) is None
        assert known.card(Path("/models/b.gguf"), SIGNED) is None


def test_a_card_that_was_known_is_replaced(records, kept):
    records.put_card(MODEL, SIGNED, CARD)
    assert records.card(PATH, SIGNED) == CARD
    changed, other = evolve(CARD, license="mit", files=(PATH, PATH.with_suffix(".x"))), ((7, 5, 5), (8, 1, 1))
    records.put_card(MODEL, other, changed)
    assert records.card(PATH, SIGNED) is None
    assert records.card(PATH, other) == kept.again().card(PATH, other) == changed
    assert records.files_of(PATH) == changed.files


def test_why_a_header_cannot_be_read_is_known_too(records, kept):
    records.put_card(MODEL, SIGNED, InvalidModelFileError("'a' is cut off; download it again", detail=["at 3", "of 9"]))
    for known in (records, kept.again()):
        error = known.card(PATH, SIGNED)
        assert isinstance(error, InvalidModelFileError)
        assert (error.message, error.detail) == ("'a' is cut off; download it again", ("at 3", "of 9"))
        assert known.files_of(PATH) == (PATH,)
    records.put_card(MODEL, SIGNED, CARD)
    assert records.card(PATH, SIGNED) == CARD


def test_of_a_source_the_header_is_not_kept(records):
    source = ModelSource(path=PATH, format="gguf", files=(PATH,), size_bytes=3, metadata={"long": "x" * 10_000})
    records.put_card(MODEL, SIGNED, source)
    assert type(records.card(PATH, SIGNED)) is ModelCard


def test_a_card_that_no_json_can_say_is_not_kept(records, kept, caplog):
    records.put_card(MODEL, SIGNED, evolve(CARD, parameters=3j))
    assert (records.card(PATH, SIGNED), kept.count) == (None, 0)
    assert "its reader is at fault" in caplog.text


def test_what_others_have_read_is_read_again(records, kept, monkeypatch):
    records.put_card(MODEL, SIGNED, CARD)
    assert Records(known=kept.known(), readers=["uml-core 9"]).card(PATH, SIGNED) is None
    monkeypatch.setattr("uml_core.registry.records.__version__", "99.0")
    assert kept.again().card(PATH, SIGNED) is None


def test_a_card_from_when_cards_held_less_is_read_again(records, kept, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("uml_core.registry.card_row.CARDS", CARDS - 1)
        kept.again().put_card(MODEL, SIGNED, CARD)
        assert kept.again().card(PATH, SIGNED) == CARD
    assert kept.again().card(PATH, SIGNED) is None
    records.put_card(MODEL, SIGNED, CARD)
    assert kept.again().card(PATH, SIGNED) == CARD


def test_a_fault_of_a_reader_or_of_the_system_is_not_kept(records, kept, tmp_path):
    path, loop = tmp_path / "a.odd", tmp_path / "loop.odd"
    path.write_bytes(b"odd")
    loop.symlink_to(loop)
    odd = ModelFormat(name="odd", claims=lambda path, head: True, read=lambda path: 1 // 0)
    for place, said in ((path, "tell the makers"), (loop, "a link that leads back to itself")):
        with pytest.raises(InvalidModelFileError, match=said) as raised:
            inspect(place, [odd])
        records.put_card(evolve(MODEL, path=place), SIGNED, raised.value)
    assert kept.count == 0
    with pytest.raises(InvalidModelFileError, match="in no format") as raised:
        inspect(path, [])
    records.put_card(evolve(MODEL, path=path), SIGNED, raised.value)
    assert isinstance(records.card(path, SIGNED), InvalidModelFileError)


@pytest.mark.parametrize("card", [None, "", "{", "[]", "3", '{"path": 3}', '{"shape": {"layers": 3}}', "[" * 100_000])
def test_a_damaged_card_is_not_known(records, kept, card):
    records.put_card(MODEL, SIGNED, CARD)
    kept.tables["models"][str(PATH)]["card"] = card
    damaged = kept.again()
    assert damaged.card(PATH, SIGNED) is None
    assert damaged.files_of(PATH) == (PATH,)


def test_a_name_that_is_no_utf8(records, kept):
    path = Path("/models/\udcff.gguf")
    card = evolve(CARD, path=path, files=(path,))
    records.put_card(evolve(MODEL, path=path), SIGNED, card)
    assert "".join(kept.tables["models"]).isascii()
    assert kept.again().card(path, SIGNED) == card


def test_what_is_gone_is_marked_and_may_come_back(records, kept):
    other = Path("/models/b.gguf")
    records.put_card(MODEL, SIGNED, CARD)
    records.put_card(evolve(MODEL, id="b", path=other), SIGNED, evolve(CARD, path=other))
    assert records.gone([PATH, Path("/models/new.gguf")]) == 1
    assert records.gone([PATH]) == 0
    assert [bool(row["gone"]) for row in kept.tables["models"].values()] == [False, True]
    assert kept.again().card(other, SIGNED) is not None
    assert records.gone([PATH, other]) == 0
    assert [bool(row["gone"]) for row in kept.tables["models"].values()] == [False, False]
    assert records.gone([]) == 2
    records.put_card(MODEL, SIGNED, CARD)
    assert kept.tables["models"][str(PATH)]["gone"] is None


def test_aliases(records, kept):
    records.set_alias("small", "org/a:Q4_0")
    records.set_alias("ein Modell für alles", "b")
    before = records.aliases
    records.set_alias("small", "c")
    assert records.aliases == kept.again().aliases == {"small": "c", "ein Modell für alles": "b"}
    assert before["small"] == "org/a:Q4_0"  # who looks at it is not disturbed
    assert records.remove_alias("small")
    assert not records.remove_alias("small")
    assert not records.remove_alias("never")
    assert records.aliases == kept.again().aliases == {"ein Modell für alles": "b"}
    records.set_alias("small", "d")
    assert kept.again().aliases["small"] == "d"


@pytest.mark.parametrize(
    ("alias", "said"),
    [
        ("", "an alias can't be empty"),
        (" \t ", "an alias can't be empty"),
        ("x" * 201, "has 201 characters; take one of at most 200"),
        ("a\nb", "the alias 'a\N{REPLACEMENT CHARACTER}b' has characters that can't be seen"),
        ("a\x1b[2Jb", "can't be seen"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "can't be seen"),
        ("a\udcffb", "can't be seen"),
        (" a", "can't be seen"),
    ],
)
def test_an_alias_that_nobody_can_type(records, kept, alias, said):
    with pytest.raises(BadRequestError, match=said.replace("[", r"\[")):
        records.set_alias(alias, "a")
    assert (records.aliases, kept.count) == ({}, 0)


def test_pins(records, kept):
    records.pin("a", on=True)
    records.pin("b", on=True)
    records.pin("a", on=True)
    assert records.pins == kept.again().pins == {"a", "b"}
    records.pin("a", on=False)
    records.pin("never", on=False)
    assert records.pins == kept.again().pins == {"b"}
    assert kept.count == 3


def test_profiles_are_the_newest_first(records, kept):
    later = evolve(PROFILE, measured=PROFILE.measured + timedelta(hours=1), spin=False, busy=True, model_bytes=4)
    records.put_profile(later)
    records.put_profile(PROFILE)
    records.put_profile(evolve(PROFILE, model_id="b"))
    for known in (records, kept.again()):
        assert known.profiles("a") == (later, PROFILE)
        assert known.profiles("a", model_bytes=3) == (PROFILE,)
        assert known.profiles("a", model_bytes=5) == ()


def test_the_newest_profiles_of_each_backend_and_source_are_kept(records):
    times = [PROFILE.measured + timedelta(minutes=number) for number in range(PROFILES + 5)]
    records.put_profile(evolve(PROFILE, backend="other"))
    for measured in times:
        records.put_profile(evolve(PROFILE, measured=measured))
        records.put_profile(evolve(PROFILE, measured=measured, source="served"))
    found = records.profiles("a")
    assert len(found) == 2 * PROFILES + 1
    assert {profile.measured for profile in found if profile.source == "bench" and profile.backend != "other"} == {
        *times[5:]
    }


def test_a_profile_that_is_damaged_is_left_out(records, kept):
    records.put_profile(PROFILE)
    records.put_profile(PROFILE)
    damaged = next(iter(kept.tables["profiles"].values()))
    for name, value in (("measured", "yesterday"), ("measured", None), ("options", "{")):
        before, damaged[name] = damaged[name], value
        assert kept.again().profiles("a") == (PROFILE,)
        damaged[name] = before
    assert len(kept.again().profiles("a")) == 2


def test_usage_is_counted_on(records, kept):
    records.count_load("a")
    records.count_request("a", prompt_tokens=5, completion_tokens=7)
    again = kept.again()
    assert again.usage("a") == records.usage("a")
    again.count_request("a", prompt_tokens=1)
    again.count_load("a")
    usage = kept.again().usage("a")
    assert (usage.loads, usage.requests, usage.prompt_tokens, usage.completion_tokens) == (2, 2, 6, 7)
    assert usage.last_loaded > usage.last_used > records.usage("a").last_used
    assert records.usage("b") == Usage()


def test_counts_that_could_not_be_read_are_not_overwritten(records, kept):
    for _ in range(3):
        records.count_load("a")
    blind = Records(kept, known=Peeked({}, whole=False))
    blind.count_load("a")
    assert blind.usage("a").loads == 1
    assert kept.again().usage("a").loads == 3
    kept.tables["usage"]["a"]["loads"] = "many"
    assert kept.again().usage("a") == Usage()


def test_all_is_put_again_when_the_database_is_a_new_one(records, kept):
    records.put_card(MODEL, SIGNED, CARD)
    records.card(PATH, SIGNED)
    records.set_alias("x", "a")
    records.pin("a", on=True)
    records.put_profile(PROFILE)
    records.count_load("a")
    before = {table: {id: dict(row) for id, row in rows.items()} for table, rows in kept.tables.items()}
    kept.tables.clear()
    records.put_all()
    assert kept.tables == before


def test_many_threads_lose_nothing(records, kept):
    def work(name):
        for number in range(100):
            records.count_request("a", completion_tokens=1)
            records.set_alias(f"{name}{number}", "a")
            records.put_profile(evolve(PROFILE, backend=name))
            path = Path(f"/models/{name}{number}")
            records.put_card(evolve(MODEL, path=path), SIGNED, CARD)
            assert records.card(path, SIGNED) == CARD

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for known in (records, kept.again()):
        assert known.usage("a").requests == known.usage("a").completion_tokens == 400
        assert len(known.aliases) == 400
    assert len(kept.tables["models"]) == 400
    assert len(records.profiles("a")) == 4 * PROFILES


MEASUREMENT = Measurement(
    model_id="a",
    backend="fake",
    engine="fake 1",
    machine="a machine",
    architecture="llama",
    quantization="Q4_0",
    how="4096x1 batch=512",
    device="cpu",
    kind="compute",
    predicted_bytes=100,
    measured_bytes=90,
    measured=datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC),
)


def test_a_later_measurement_of_one_load_takes_the_place_of_the_first(kept):
    records = Records(kept)
    records.put_measurement(MEASUREMENT, load="1")
    records.put_measurement(evolve(MEASUREMENT, kind="weights"), load="1")
    later = evolve(MEASUREMENT, measured_bytes=95, used=True, measured=MEASUREMENT.measured + timedelta(seconds=1))
    records.put_measurement(later, load="1")
    assert records.measurements(backend="fake") == (later, evolve(MEASUREMENT, kind="weights"))
    assert records.measurements(backend="other") == ()
    assert kept.again().measurements(backend="fake") == records.measurements(backend="fake")


def test_a_measurement_that_is_damaged_is_left_out(kept, caplog):
    Records(kept).put_measurement(MEASUREMENT, load="1")
    (row,) = kept.tables["measurements"].values()
    row["measured"] = "yesterday"
    assert kept.again().measurements(backend="fake") == ()
    assert "a measurement of the model 'a' can't be read" in caplog.text
