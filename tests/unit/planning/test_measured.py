"""What a load would be like, by what was measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from uml_core.planning.measured import expected
from uml_core.types import Profile

DEFAULT = (1, None)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def measured():
    """One measurement, *days* ago."""

    def make(speed, *, backend="a", threads=1, days=0, **facts):
        return Profile(
            model_id="m", model_bytes=1, backend=backend, engine="", machine="here", threads=threads, context_length=64,
            decode_tokens_per_s=speed, measured=NOON - timedelta(days=days), **facts,
        )  # fmt: skip

    return make


def speed_of(*profiles):
    found = expected(profiles, default=DEFAULT)
    return found and (found.backend, found.threads, found.decode_tokens_per_s)


def test_nothing_was_measured(measured):
    assert speed_of() is None
    assert speed_of(measured(9.0, busy=True, source="served")) is None


def test_the_threads_that_a_load_would_get_and_not_the_fastest_ever(measured):
    run = [measured(65.0), measured(66.0, busy=True), measured(101.0, threads=2), measured(2.6, threads=2, busy=True)]
    assert speed_of(*run) == ("a", 1, 65.0)
    better = [
        measured(65.0),
        measured(60.0, busy=True),
        measured(101.0, threads=2),
        measured(90.0, threads=2, busy=True),
    ]
    assert speed_of(*better) == ("a", 2, 101.0)


def test_the_fastest_backend(measured):
    assert speed_of(measured(50.0), measured(80.0, backend="b")) == ("b", 1, 80.0)


def test_what_only_the_first_of_a_run_measured_is_taken_from_it(measured):
    first = measured(10.0, load_s=0.7, memory_bytes=5, first_token_s=0.4)
    best = measured(20.0, threads=2, first_token_s=0.2)
    found = expected([best, first], default=DEFAULT)
    assert (found.decode_tokens_per_s, found.first_token_s, found.load_s, found.memory_bytes) == (20.0, 0.2, 0.7, 5)


def test_in_use_it_is_how_it_did_last(measured):
    used = [measured(7.0, source="served"), measured(9.0, source="served", days=1)]
    assert speed_of(*used) == ("a", 1, 7.0)
    assert speed_of(*used, measured(5.0, days=30)) == ("a", 1, 5.0)
