"""Each broken promise is found: a run in which all went well, and one in which one thing did not."""

import sqlite3

import pytest
from attrs import evolve
from proving.chaos import Orders, Phase, Seen
from proving.client import Outcome, Told
from proving.question import Question
from proving.rows import Rows, compare
from proving.soak import Cycle, Soaked
from proving.soak import broken_promises as soak_broken
from proving.strike import Strike
from proving.traces import Held
from proving.verdict import broken_promises, count

HELD = Held(90_000_000, 20, 1)
ROWS = Rows(total=2, missing=0, double=0, open=0, untrue=0, late=0, by_status={"ok": 2})


def told(number, outcome=Outcome.WHOLE, *, began_s=0.0, ended_s=1.0, generation=1, status=200, code=None):
    question = Question(number=number, thing="sun", streamed=True, model="m")
    return Told(
        question,
        began_s=began_s,
        ended_s=ended_s,
        outcome=outcome,
        generation=generation,
        status=status,
        code=code,
        attempts=1,
    )


def seen(told, *strikes, rows=ROWS, exit_code=0):
    return Seen(
        orders=Orders(),
        workers=Phase(told=told, strikes=list(strikes)),
        gateways=Phase(),
        before=HELD,
        after=HELD,
        rows=rows,
        exit_code=exit_code,
        end_s=1.0,
    )


def struck(**rest):
    return Strike(**{"target": "gateway", "generation": 1, "at_s": 2.0, "ready_s": 3.0, "recovered_s": 4.0, **rest})


GOOD = [told(1), told(2, began_s=5.0, ended_s=6.0, generation=2)]


def test_a_good_run():
    assert broken_promises(seen(GOOD, struck())) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (seen([*GOOD, told(3, Outcome.REFUSED)]), "availability is 66.667%"),
        (seen([*GOOD, told(3, Outcome.SILENT)]), "1 streams ended as if they were whole"),
        (seen([*GOOD, told(3, Outcome.WRONG)]), "1 whole answers are not the known ones"),
        (seen([*GOOD, told(3, Outcome.BROKEN)], struck()), "1 connections broke although the gateway lived"),
        (seen(GOOD, struck(orphans=(4711,))), "1 processes outlived a kill"),
        (seen(GOOD, struck(recovered_s=None)), "after 1 kills nobody"),
        (seen([*GOOD, told(3, began_s=5.0, generation=1)], struck()), "1 answers came from workers that had been"),
        (seen(GOOD, rows=evolve(ROWS, missing=1)), "1 accepted requests have no row"),
        (seen(GOOD, rows=evolve(ROWS, double=1)), "1 requests have more than one row"),
        (seen(GOOD, rows=evolve(ROWS, open=1)), "1 rows have no end"),
        (seen(GOOD, rows=evolve(ROWS, untrue=1)), "1 rows say otherwise"),
        (seen(GOOD, exit_code=-9), "SIGTERM ended the gateway with code -9"),
    ],
)
def test_what_went_wrong_is_said(bad, words):
    assert any(words in sentence for sentence in broken_promises(bad))


def test_what_is_counted_apart():
    away = told(3, Outcome.BROKEN, began_s=1.5, ended_s=2.1)
    unreached = told(4, Outcome.BROKEN, began_s=2.5, ended_s=2.5, status=None, code="ConnectError")
    cut = told(5, Outcome.CUT, code="worker_crashed")
    both = count(Phase(told=[*GOOD, away, unreached, cut], strikes=[struck()]))
    assert (both.asked, both.failed, both.cut, both.apart, both.unreached) == (2, 0, 1, 2, 1)
    assert both.recovery_s == [2.0]
    assert both.codes == {"worker_crashed": 1}


def test_a_strike_is_over_with_the_first_word_of_a_new_worker():
    strike = Strike("worker", 3, at_s=10.0)
    strike.see(told(1, began_s=9.0, generation=3))
    assert strike.recovered_s is None
    strike.see(told(1, began_s=9.0, generation=4))
    assert strike.recovered_s is not None


def test_rows_are_compared_with_what_was_seen(tmp_path):
    file = tmp_path / "uml.db"
    rows = [(1, "ok"), (2, "error"), (3, "ok"), (3, "ok"), (4, "started"), (5, "aborted"), (6, "aborted")]
    connection = sqlite3.connect(file)
    connection.execute("create table requests (request_id text, status text)")
    connection.executemany("insert into requests values (?, ?)", [(f"proof-{number}", said) for number, said in rows])
    connection.commit()
    connection.close()
    asked = [told(number) for number in range(1, 6)]
    asked += [told(6, ended_s=1.9), told(7), told(8, Outcome.BROKEN, status=None)]
    found = compare(file, asked, [struck()])
    assert (found.total, found.missing, found.double, found.open) == (7, 1, 1, 1)
    assert (found.untrue, found.late) == (3, 1), "2, 4 and 5 had whole answers; 6 too, right before the kill"


def cycle(generation, **rest):
    release = {"proven": True, "freed": 10, "expected": 10, "leftover_pids": []}
    usual = {"held": HELD, "files": frozenset({"gateway.json"}), "leftover": 0, "release": release}
    return Cycle(**{"generation": generation, "load_s": 1.0, "unload_s": 0.1, **usual, **rest})


def soaked(*cycles):
    return Soaked(cycles=cycles, warm_up=0, before=HELD, files=frozenset({"gateway.json"}))


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (cycle(3), None),
        (cycle(3, held=evolve(HELD, rss_bytes=99_000_000)), "the gateway grew by 9.0 MB"),
        (cycle(3, held=evolve(HELD, fds=21)), "descriptors differ"),
        (cycle(3, held=evolve(HELD, listening=2)), "a listening socket was left open"),
        (cycle(3, release={**cycle(3).release, "proven": False}), "a release was not proven"),
        (cycle(3, leftover=1), "a process was left over"),
        (cycle(3, release={**cycle(3).release, "freed": 9}), "memory was not given back"),
        (cycle(3, files=frozenset({"launch-3-0123456789abcdef"})), "files were left in the run folder"),
        (cycle(2), "generations don't rise"),
    ],
)
def test_a_soak_that_leaves_something(last, words):
    found = soak_broken(soaked(cycle(1), cycle(2), last))
    assert [words in sentence for sentence in found] == [True] if words else found == []
