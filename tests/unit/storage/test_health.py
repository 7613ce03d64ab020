import pytest

from uml_core.storage import health as health_module
from uml_core.storage.health import Health


@pytest.fixture
def told():
    return []


@pytest.fixture
def health(told):
    return Health(lambda kind, facts: told.append((kind, dict(facts))))


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(health_module, "time", clock)
    return clock


def test_only_changes_are_told(health, told):
    health.good(dropped=0)
    health.bad("full", failed=True)
    health.bad("still full", failed=True)
    assert health.degraded == "still full"
    health.good(dropped=7)
    health.good(dropped=7)
    assert health.degraded is None
    assert told == [("degraded", {"reason": "full"}), ("recovered", {"dropped": 7})]


def test_pauses_double_up_to_half_a_minute_and_start_anew(health, clock):
    pauses = []
    for _ in range(8):
        health.bad("full", failed=True)
        pauses.append(health.pause_s)
        assert not health.due
        clock.now += pauses[-1]
        assert health.due
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    health.good(dropped=0)
    assert (health.due, health.pause_s) == (True, None)
    health.bad("full", failed=True)
    assert health.pause_s == 0.5


def test_trouble_with_the_journal_alone_holds_no_rows_up(health):
    health.bad("the journal is full", failed=False)
    assert health.due
    assert health.pause_s > 0
