import pytest

from uml_core.cli import outcome
from uml_core.cli.jobs import _row, human_age

NO_MODEL = "'old' was unloaded; none is loaded now"
PERSISTS = {"leftover_pids": [7, 8], "proven": False}
TAKEN = {"unattributed": 12_000_000}
FREED = "unloaded old: freed 412 MB of 412 MB (private), "
TAKEN_SENTENCE = f"{FREED}12 MB are still taken, by nobody that can be seen, proven in 0.21 s"
PERSISTS_SENTENCE = f"{FREED}processes 7, 8 could not be ended, not proven within 0.21 s"


def test_a_load_says_what_it_took_and_what_was_before(job_view, release):
    assert outcome.loaded(job_view("committed", release=release())) == (
        "loaded new with fake in 1.2 s; context 4096 tokens; before: old (freed 412 MB, proven in 0.21 s)"
    )
    assert outcome.loaded(job_view("committed", previous=None)) == (
        "loaded new with fake in 1.2 s; context 4096 tokens"
    )
    assert outcome.loaded(job_view("committed", switched=False)) == (
        "new was loaded already, with fake; context 4096 tokens"
    )
    said = outcome.loaded(job_view("committed", release=release(**TAKEN)))
    assert "(freed 412 MB, 12 MB are still taken, by nobody that can be seen, proven in 0.21 s)" in said


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, f"{FREED}nothing left, proven in 0.21 s"),
        (
            TAKEN,
            TAKEN_SENTENCE,
        ),
        (
            PERSISTS,
            PERSISTS_SENTENCE,
        ),
    ],
)
def test_an_unload_says_what_is_left(job_view, release, said, sentence):
    assert outcome.unloaded(job_view("committed", kind="unload", model=None, release=release(**said))) == sentence


def test_an_unload_of_nothing(job_view):
    assert outcome.unloaded(job_view("committed", kind="unload", model=None, previous=None)) == "no model was loaded"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"state": "rolled_back"}, "rolled back: 'old' is loaded again with the same options, nothing was lost"),
        (
            {"state": "rolled_back", "rollback_seconds": 0.8},
            "rolled back: 'old' is loaded again with the same options (0.8 s), nothing was lost",
        ),
        ({"state": "failed"}, "'old' was not touched"),
        ({"state": "failed", "previous": None}, None),
        (
            {"state": "failed", "rollback_cause": {"code": "x", "message": "its file is gone"}},
            "and 'old' could not be brought back either: its file is gone; no model is loaded now",
        ),
        ({"state": "failed", "release": {"freed": 1}}, NO_MODEL),
    ],
)
def test_what_became_of_the_model_before(job_view, said, sentence):
    assert outcome.aftermath(job_view(**said)) == sentence


def test_a_cancel_says_what_is_loaded_now(job_view):
    job = job_view("cancelled", cause={"code": "cancelled", "message": "no"})
    said = "cancelled the load of 'new'; "
    assert outcome.cancelled(job, loaded="old") == f"{said}'old' was not touched"
    assert outcome.cancelled({**job, "previous": None}, loaded="old") == f"{said}'old' is loaded"
    assert outcome.cancelled({**job, "previous": None}, loaded=None) == f"{said}no model is loaded now"
    back = outcome.cancelled({**job, "rolled_back": True}, loaded="old")
    assert back == f"{said}rolled back: 'old' is loaded again with the same options, nothing was lost"


@pytest.mark.parametrize(
    ("said", "cell"),
    [
        ({}, ""),
        ({"state": "committed"}, "done"),
        ({"state": "committed", "switched": False}, "was loaded already"),
        ({"state": "committed", "switched": False, "kind": "unload"}, "done"),
        ({"state": "rolled_back", "cause": {"code": "worker_killed"}}, "old is back: worker_killed"),
        ({"state": "failed", "cause": {"code": "model_load_failed"}}, "failed: model_load_failed"),
        ({"state": "cancelled", "cause": {"code": "cancelled"}}, "cancelled"),
        ({"state": "cancelled", "cause": {"code": "superseded"}}, "cancelled: superseded"),
    ],
)
def test_a_result_is_a_word_or_three(job_view, said, cell):
    assert outcome.result(job_view(**said)) == cell


def test_the_rows_of_the_table(job_view):
    loading = job_view(progress={"stage": "loading", "part": 0.48, "elapsed_s": 2.0})
    assert list(_row(loading).values())[:4] == ["job_1", "load", "new", "loading 48%"]
    assert list(_row(loading).values())[5:] == ["2.0 s", ""]
    assert _row(job_view("queued", position=2))["STATE"] == "queued, 2 before"
    ended = _row(job_view("committed", kind="unload", model=None))
    assert (ended["MODEL"], ended["STATE"], ended["TIME"], ended["RESULT"]) == ("old", "committed", "1.2 s", "done")


@pytest.mark.parametrize(("seconds", "age"), [(8.4, "8 s"), (200, "3 min"), (7500, "2 h"), (500_000, "5 d")])
def test_an_age_is_one_unit(seconds, age):
    assert human_age(seconds) == age


def test_a_model_cannot_steer_the_table(job_view):
    assert _row(job_view(model="a\x1b[31mb"))["MODEL"] == "a[31mb"


def test_a_cancelled_scan_keeps_what_it_has_read(job_view):
    job = job_view("cancelled", kind="scan", model=None, previous=None)
    assert outcome.cancelled(job, loaded="a") == "cancelled the scan of the models; what it had read is kept"
