"""What is made of the measurements of `uml bench`: which threads, and how fast a backend counts as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from uml_core.planning.learned import learned
from uml_core.planning.measured import speed_of, speeds
from uml_core.types import Profile

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEFAULT = (1, None)


def profile(speed, *, threads=1, spin=None, busy=False, backend="a", minutes=0, **rest):
    return Profile(
        model_id="Tiny",
        model_bytes=1,
        backend=backend,
        engine="engine 1",
        machine="here",
        threads=threads,
        spin=spin,
        busy=busy,
        context_length=512,
        decode_tokens_per_s=speed,
        measured=NOON + timedelta(minutes=minutes),
        **rest,
    )


def pairs(*rows, **rest):
    """Profiles of one run: threads, spin, speed alone and beside a busy process."""
    alone = [profile(idle, threads=threads, spin=spin, **rest) for threads, spin, idle, _ in rows]
    busy = [profile(speed, threads=threads, spin=spin, busy=True, **rest) for threads, spin, _, speed in rows if speed]
    return [*alone, *busy]


def best(profiles, default=DEFAULT):
    found = learned(profiles, backend="a", default=default)
    return found and (found.threads, found.spin)


def test_the_pair_of_a_machine_that_is_busy_half_of_the_time():
    measured = pairs((1, None, 57, 57), (2, None, 83, 2), (2, False, 62, 60))
    assert best(measured) == (2, False)


def test_alone_when_nothing_was_measured_beside_a_busy_process():
    assert best(pairs((1, None, 57, None), (2, None, 83, None), (2, False, 62, None))) == (2, None)


def test_what_was_not_tried_beside_a_busy_process_is_not_compared_with_what_was():
    assert best(pairs((1, None, 57, 50), (2, None, 300, None), (2, False, 62, 60))) == (2, False)


def test_a_twentieth_is_no_difference():
    assert best(pairs((1, None, 100, None), (2, None, 104, None))) is None
    assert best(pairs((1, None, 100, None), (2, None, 106, None))) == (2, None)


def test_fewer_threads_among_equals():
    assert best(pairs((1, None, 50, None), (4, None, 90, None), (2, None, 90, None))) == (2, None)


def test_pairs_of_different_runs_are_not_compared():
    early = pairs((1, None, 50, None), (2, None, 90, None))
    assert best([profile(200, minutes=5), *early]) == (2, None)
    assert best([*pairs((1, None, 90, None), (2, None, 50, None), minutes=5), *early]) is None


def test_an_interrupted_run_takes_nothing_away():
    early = pairs((1, None, 50, 50), (2, None, 90, 90))
    late = [profile(60, minutes=5), profile(50, busy=True, minutes=5), profile(20, threads=2, minutes=5)]
    assert best([*late, *early]) == (2, None)


@pytest.mark.parametrize("profiles", [[], [profile(None)], [profile(9, threads=2)], [profile(50)]])
def test_nothing_to_learn_from(profiles):
    assert best(profiles) is None


def test_only_what_was_benched_teaches():
    measured = pairs((1, None, 50, None), (2, None, 90, None), source="served")
    assert best(measured) is None
    assert speeds(measured, default=DEFAULT) == {}


def test_the_reason_has_the_numbers():
    found = learned(pairs((1, None, 57, 50), (2, False, 83, 60)), backend="a", default=DEFAULT)
    assert found is not None
    assert found.reason == (
        "`uml bench` learned 2 threads, not spinning: 83 against 57 tokens/s alone, 60 against 50 beside a busy process"
    )
    alone = learned(pairs((1, None, 57, None), (2, True, 83, None)), backend="a", default=DEFAULT)
    assert alone is not None
    assert alone.reason == "`uml bench` learned 2 threads, spinning: 83 against 57 tokens/s"


def test_backends_are_compared_with_what_each_learned():
    measured = [
        *pairs((1, None, 50, None), (2, None, 90, None)),
        *pairs((1, None, 60, None), (2, None, 61, None), backend="b"),
    ]
    assert speeds(measured, default=DEFAULT) == {"a": 90, "b": 60}


def test_with_the_default_threads_where_one_learned_nothing():
    measured = [*pairs((1, None, 50, None), (2, None, 90, None)), profile(60, backend="b")]
    assert speeds(measured, default=DEFAULT) == {"a": 50, "b": 60}
    assert speed_of(measured, "a", default=DEFAULT) == 90
    assert speed_of(measured, "c", default=DEFAULT) is None


def test_with_whatever_was_measured_last_if_the_default_was_not():
    assert speeds([profile(70, threads=3), profile(80, threads=4)], default=DEFAULT) == {"a": 70}


def test_a_newer_run_counts_whatever_an_older_one_had_learned():
    early = pairs((1, None, 50, None), (2, None, 90, None))
    late = [profile(17, minutes=5), profile(23, backend="b", minutes=5)]
    assert speeds([*late, *early], default=DEFAULT) == {"a": 17, "b": 23}
    assert speed_of([*late, *early], "a", default=DEFAULT) == 90


def test_a_run_of_one_backend_leaves_the_others_as_they_were():
    early = [profile(50), profile(60, backend="b")]
    assert speeds([profile(70, minutes=5), *early], default=DEFAULT) == {"a": 70, "b": 60}
    assert speeds([profile(70, minutes=5, busy=True)], default=DEFAULT) == {}
