"""The bridge between the two threads: an answer of an engine that has nothing else to do, without a process."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from uml_core.errors import BadRequestError, InternalServerError, ShuttingDownError
from uml_core.worker import CompletionRequest, Delta
from uml_core.worker.answering import Answering
from uml_core.worker.generation import AHEAD, Abandoned, Generation
from uml_core.worker.rounds import Rounds
from uml_core.worker.transcript import Finish, Transcript

REQUEST = CompletionRequest(prompt="x")


class Alone:
    """What the engine's thread does, with one answer."""

    def __init__(self, generation, answer, request):
        self.rounds = Rounds(tick=lambda: None)
        self.rounds.add([Answering(generation, answer, request, transcript=Transcript.of(request))])
        self.thread = threading.Thread(target=self.rounds.run, args=(self,))
        self.thread.start()

    def join(self):
        self.rounds.stop()
        self.thread.join(5)


class Bridge:
    def __init__(self):
        self.ticks = 0
        loop = asyncio.get_running_loop()
        self.generation = Generation(loop, tick=self.tick, roomy=self.look)

    def tick(self):
        self.ticks += 1

    def look(self):
        self.engine.rounds.look()

    def run(self, answer, request=REQUEST):
        self.engine = Alone(self.generation, answer, request)

    async def all(self):
        items = []
        while not items or isinstance(items[-1], str):
            items += [content for _, content in await self.generation.take()]
        self.engine.join()
        return items

    def cancel(self):
        self.generation.cancel()
        self.engine.rounds.remove(self.generation)


@pytest.fixture
async def bridge():
    return Bridge()


async def test_texts_and_the_end_arrive_in_order(bridge):
    bridge.run(lambda request: [str(number) for number in range(1000)])
    *texts, end = await bridge.all()
    assert texts == [str(number) for number in range(1000)]
    assert end == Finish(reason="stop", prompt_tokens=0, completion_tokens=1000)
    assert bridge.ticks == 1000


async def test_what_no_thread_has_begun_is_not_done_for_nobody(bridge):
    loop, busy, begun = asyncio.get_running_loop(), threading.Event(), []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(busy.wait, 5)
        work = loop.run_in_executor(pool, begun.append, "prepared")
        loop.call_soon(bridge.generation.cancel)
        with pytest.raises(Abandoned):
            await bridge.generation.during(work)
        await asyncio.sleep(0)  # futures tell each other of a cancel in the next round of the loop
        busy.set()
    assert not begun


async def test_empty_deltas_are_signs_of_life_only(bridge):
    bridge.run(lambda request: [Delta(), Delta(prompt_tokens=5), "a", Delta()])
    assert await bridge.all() == ["a", Finish(reason="stop", prompt_tokens=5, completion_tokens=1)]
    assert bridge.ticks == 4


@pytest.mark.parametrize(
    ("raised", "kind"), [(BadRequestError("no"), BadRequestError), (ZeroDivisionError("0"), InternalServerError)]
)
async def test_errors_come_last(bridge, raised, kind):
    def answer(request):
        yield "a"
        raise raised

    bridge.run(answer)
    text, error = await bridge.all()
    assert text == "a"
    assert type(error) is kind


async def test_the_engine_waits_for_its_reader(bridge):
    made = 0

    def answer(request):
        nonlocal made
        while True:
            made += 1
            yield "x"

    bridge.run(answer)
    await asyncio.sleep(0)
    while not bridge.generation.behind:
        await asyncio.sleep(0.001)
    assert len(await bridge.generation.take()) == AHEAD
    while not bridge.generation.behind:  # it went on, as far as it may
        await asyncio.sleep(0.001)
    assert made == 2 * AHEAD
    bridge.cancel()
    bridge.engine.join()
    assert not bridge.engine.thread.is_alive()


async def test_a_cancel_stops_within_one_piece_and_closes_in_the_engines_thread(bridge):
    asked, closed_in = 0, None

    def answer(request):
        nonlocal asked, closed_in
        try:
            while True:
                asked += 1
                if asked == 5:
                    loop.call_soon_threadsafe(cancel)
                    cancelled.wait(5)
                yield ""
        finally:
            closed_in = threading.current_thread()

    def cancel():
        bridge.generation.cancel()
        cancelled.set()

    loop, cancelled = asyncio.get_running_loop(), threading.Event()
    bridge.run(answer)
    with pytest.raises(Abandoned):
        await bridge.generation.take()
    bridge.engine.join()
    assert asked == 5
    assert closed_in is bridge.engine.thread


async def test_a_cancel_before_the_start_never_asks_the_engine(bridge):
    bridge.generation.cancel()
    bridge.run(lambda request: pytest.fail("was asked"))
    bridge.engine.join()


async def test_the_first_reason_for_a_cancel_stays(bridge):
    bridge.generation.cancel(ShuttingDownError("going down"))
    bridge.generation.cancel()
    with pytest.raises(ShuttingDownError):
        await bridge.generation.take()


async def test_stop_ends_the_engine(bridge):
    pieces = iter(["one ", "two END", "three"])
    bridge.run(lambda request: pieces, CompletionRequest(prompt="x", stop=("END",)))
    assert await bridge.all() == ["one ", "two ", Finish(reason="stop", prompt_tokens=0, completion_tokens=2)]
    assert list(pieces) == ["three"]
