"""Several answers at once: whose turn it is, and whose error it was."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from uml_core.errors import ContextLengthExceededError, InternalServerError
from uml_core.worker import WAIT, CompletionRequest, Delta, Whole
from uml_core.worker.answering import Answering
from uml_core.worker.generation import AHEAD, Generation
from uml_core.worker.rounds import Rounds
from uml_core.worker.transcript import Finish, Transcript

REQUEST = CompletionRequest(prompt="x")


class Batch:
    """A batch engine whose steps are counted; *fails* at some of them."""

    parallel = 2

    def __init__(self, *, fails=()):
        self.steps = 0
        self.fails = dict(fails)
        self.log = []

    def step(self):
        self.steps += 1
        if error := self.fails.get(self.steps):
            raise error

    def count(self, name, most, wait=WAIT):
        def answer(request):
            self.log.append(f"begin {name}")
            try:
                for number in range(most):
                    yield wait
                    yield f"{name}{number}@{self.steps}"
            finally:
                self.log.append(f"end {name}")

        return answer


class House:
    def __init__(self, engine):
        self.loop = asyncio.get_running_loop()
        self.rounds = Rounds(tick=lambda: None)
        self.engine = engine

    def ask(self, *answers):
        """One request for several answers."""
        generation = Generation(self.loop, tick=lambda: None, roomy=self.rounds.look)
        jobs = [
            Answering(generation, answer, REQUEST, index=index, transcript=Transcript())
            for index, answer in enumerate(answers)
        ]
        self.rounds.add(jobs)
        return generation

    def start(self):
        self.thread = threading.Thread(target=self.rounds.run, args=(self.engine,))
        self.thread.start()

    def stop(self):
        self.rounds.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
async def house():
    house = House(Batch())
    yield house
    house.stop()


async def all_of(generation, n=1):
    items, ends = [], 0
    while ends < n:
        new = await generation.take()
        items += new
        ends += sum(isinstance(content, Finish | Exception | Whole) for _, content in new)
    return items


def texts(items, index=0):
    return [content for at, content in items if at == index and isinstance(content, str)]


@pytest.mark.parametrize("wait", [WAIT, Delta()], ids=["WAIT", "an empty delta"])
async def test_one_step_serves_all_that_wait(house, wait):
    engine = house.engine
    first, second = (house.ask(engine.count(name, 3, wait)) for name in "ab")
    house.start()
    assert texts(await all_of(first)) == ["a0@1", "a1@2", "a2@3"]
    assert texts(await all_of(second)) == ["b0@1", "b1@2", "b2@3"]
    assert engine.steps == 3


async def test_no_more_at_once_than_the_engine_says(house):
    engine = house.engine
    asked = [house.ask(engine.count(name, length)) for name, length in (("a", 3), ("b", 1), ("c", 1))]
    assert house.rounds.queued == 3
    house.start()
    for generation in asked:
        await all_of(generation)
    assert engine.log[:4] == ["begin a", "begin b", "end b", "begin c"]
    assert house.rounds.queued == 0


async def test_a_new_answer_joins_those_under_way(house):
    engine = house.engine
    first = house.ask(engine.count("a", 10_000))
    house.start()
    while engine.steps < 5:
        await first.take()
    (said,) = texts(await all_of(house.ask(engine.count("b", 1))))
    assert said.startswith("b0@")
    assert "end a" not in engine.log
    first.cancel()
    house.rounds.look()


async def test_a_slow_reader_slows_nobody_else(house):
    engine = house.engine
    slow = house.ask(engine.count("a", 10_000))
    house.start()
    while not slow.behind:
        await asyncio.sleep(0.001)
    before = engine.steps
    await asyncio.sleep(0.02)
    assert engine.steps <= before + 1  # nothing is computed for the one that waits for its reader alone
    assert len(texts(await all_of(house.ask(engine.count("b", 200))))) == 200
    assert len(await slow.take()) == AHEAD
    slow.cancel()
    house.rounds.look()


async def test_a_cancel_closes_the_answer_and_makes_room(house):
    engine = house.engine
    asked = [house.ask(engine.count(name, 10_000)) for name in "ab"]
    house.start()
    while engine.steps < 3:
        await asked[0].take()
    asked[0].cancel()
    house.rounds.remove(asked[0])
    assert texts(await all_of(house.ask(engine.count("c", 1))))
    assert "end a" in engine.log
    assert "end b" not in engine.log
    asked[1].cancel()
    house.rounds.look()


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(ZeroDivisionError("no"), InternalServerError), (ContextLengthExceededError("full"), ContextLengthExceededError)],
)
async def test_a_step_that_fails_ends_those_that_waited_for_it_and_no_others(raised, kind, capfd):
    engine = Batch(fails={2: raised})
    house = House(engine)
    asked = [house.ask(engine.count(name, 5)) for name in "ab"]
    house.start()
    for generation in asked:
        *_, (_, error) = await all_of(generation)
        assert type(error) is kind
    assert texts(await all_of(house.ask(engine.count("c", 1)))) == ["c0@3"]
    house.stop()
    assert sorted(engine.log) == ["begin a", "begin b", "begin c", "end a", "end b", "end c"]
    assert capfd.readouterr().err.count("ZeroDivisionError: no") == (kind is InternalServerError)


async def test_answers_of_one_request_come_by_their_index(house):
    engine = house.engine
    generation = house.ask(*(engine.count(name, length) for name, length in (("a", 1), ("b", 3), ("c", 2))))
    house.start()
    items = await all_of(generation, 3)
    assert [len(texts(items, index)) for index in range(3)] == [1, 3, 2]
    assert {index for index, content in items if isinstance(content, Finish)} == {0, 1, 2}


async def test_an_engine_without_steps_answers_one_after_the_other():
    log = []

    def answer(request):
        log.append("begin")
        yield WAIT
        yield "x"
        log.append("end")

    house = House(SimpleNamespace(parallel=8))
    generation = house.ask(answer, answer)
    house.start()
    items = await all_of(generation, 2)
    house.stop()
    assert log == ["begin", "end"] * 2
    assert texts(items) == texts(items, 1) == ["x"]


async def test_stopping_closes_what_is_under_way(house):
    engine = house.engine
    generation = house.ask(engine.count("a", 10_000))
    house.start()
    await generation.take()
    house.stop()
    assert engine.log == ["begin a", "end a"]


@pytest.mark.parametrize(
    ("pieces", "said"),
    [(["text"], "a str is no part of such an answer"), ([Delta()], "it gave no answer"), ([], "it gave no answer")],
)
async def test_what_is_to_be_whole_must_be(house, pieces, said):
    generation = Generation(house.loop, tick=lambda: None)
    house.rounds.add([Answering(generation, lambda request: pieces, None, transcript=None)])
    house.start()
    ((_, error),) = await all_of(generation)
    assert said in str(error)


async def test_a_whole_answer_ends_it(house):
    generation = Generation(house.loop, tick=lambda: None)
    house.rounds.add([Answering(generation, lambda request: [WAIT, Whole(b"{}"), "late"], None, transcript=None)])
    house.start()
    assert await all_of(generation) == [(0, Whole(b"{}"))]
