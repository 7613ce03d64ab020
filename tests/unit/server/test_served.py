"""How fast a model is in use becomes a profile: when it leaves, at the end, and not again and again."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from attrs import evolve

from uml_core.registry.records import Records
from uml_core.server import served
from uml_core.server.performance import Performance
from uml_core.server.served import Served
from uml_core.supervisor.events import Events
from uml_core.supervisor.views import worker_view
from uml_core.types import ModelSource, ModelStatus, Plan, WorkerState

SOURCE = ModelSource(path=Path("/m/a.gguf"), format="gguf", files=(), size_bytes=77)
PLAN = Plan(
    model_id="a", model=SOURCE, backend="b", tasks=("text-generation",), context_length=512, threads=3, spin=False,
    options={"sizes": (1, 2)},
)  # fmt: skip


class Slot:
    """A supervisor as listeners see it: its events, and what is loaded."""

    def __init__(self):
        self.events = Events()
        self.generation = 0
        self.plan = None

    def active(self):
        return self.plan and SimpleNamespace(plan=self.plan, generation=self.generation)

    def tell(self, *states, plan=PLAN):
        for state in states:
            status = ModelStatus(
                slot=0, generation=self.generation, model_id="a", backend="b", state=state, previous=None,
                at=datetime.now(UTC),
            )  # fmt: skip
            self.events.publish("worker", worker_view(status))

    def load(self, plan=PLAN):
        self.generation += 1
        self.plan = plan
        self.tell(WorkerState.LAUNCHING, WorkerState.LOADING, WorkerState.PROBING, WorkerState.READY)

    def leave(self):
        self.tell(WorkerState.DRAINING, WorkerState.STOPPING, WorkerState.VERIFYING, WorkerState.GONE)


@pytest.fixture
def slot():
    return Slot()


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def performance():
    return Performance()


@pytest.fixture
async def keeping(performance, slot, records):
    async with Served(performance, slot, records) as keeping:
        yield keeping


def answer(performance, generation, count):
    for _ in range(count):
        performance.record(generation, tokens=11, first_token_s=0.25, decoding_s=0.5)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def settled(keeping, generation):
    await until(lambda: keeping._active is not None and keeping._active.generation == generation)


async def test_a_model_that_leaves_is_kept(keeping, slot, performance, records):
    slot.load()
    await settled(keeping, 1)
    answer(performance, 1, 5)
    slot.leave()
    await until(lambda: records.profiles("a"))
    (profile,) = records.profiles("a", model_bytes=77)
    assert (profile.decode_tokens_per_s, profile.first_token_s, profile.runs) == (20.0, 0.25, 5)
    assert (profile.backend, profile.threads, profile.spin, profile.context_length) == ("b", 3, False, 512)
    assert (profile.source, profile.options) == ("served", {"sizes": [1, 2]})
    assert 0 <= profile.load_s < 10
    assert profile.machine


async def test_few_answers_say_nothing(keeping, slot, performance, records):
    slot.load()
    await settled(keeping, 1)
    answer(performance, 1, 4)
    keeping.keep()
    assert records.profiles("a") == ()
    answer(performance, 1, 1)
    keeping.keep()
    assert len(records.profiles("a")) == 1


async def test_answers_without_a_speed_say_nothing(keeping, slot, performance, records):
    slot.load()
    await settled(keeping, 1)
    for _ in range(9):
        performance.record(1)
    keeping.keep()
    assert records.profiles("a") == ()


async def test_the_same_is_kept_once_an_hour(keeping, slot, performance, records):
    for generation, plan in enumerate((PLAN, PLAN, evolve(PLAN, threads=4), evolve(PLAN, options={}), PLAN), 1):
        slot.load(plan)
        await settled(keeping, generation)
        answer(performance, generation, 9)
        keeping.keep()
        keeping.keep()
    assert [profile.threads for profile in records.profiles("a")] == [3, 4, 3]
    (first,) = [profile for profile in records.profiles("a") if profile.threads == 3 and profile.options]
    later = Records()
    later.put_profile(evolve(first, measured=first.measured - timedelta(hours=1)))
    later.put_profile(evolve(first, source="bench"))
    keeping._profiles = later
    keeping.keep()
    assert len(later.profiles("a")) == 3


async def test_what_is_loaded_at_the_end_is_kept(slot, performance, records):
    slot.load()  # before anybody listens
    async with Served(performance, slot, records) as keeping:
        await settled(keeping, 1)
        answer(performance, 1, 5)
    assert len(records.profiles("a")) == 1


async def test_now_and_then_it_is_kept_by_itself(slot, performance, records, monkeypatch):
    monkeypatch.setattr(served, "LOOK_S", 0.01)
    async with Served(performance, slot, records) as keeping:
        slot.load()
        await settled(keeping, 1)
        answer(performance, 1, 5)
        await until(lambda: records.profiles("a"))
    assert len(records.profiles("a")) == 1


async def test_who_has_left_before_it_was_seen_is_nobody(keeping, slot, performance, records):
    slot.load()
    slot.generation, slot.plan = 2, PLAN
    answer(performance, 2, 9)
    slot.leave()
    await until(lambda: keeping._launched is not None)
    slot.load()
    await settled(keeping, 3)
    assert records.profiles("a") == ()
