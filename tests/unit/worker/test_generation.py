"""The bridge between the two threads, without a process around it."""

import asyncio
import contextlib
import threading

import pytest

from uml_core.errors import BadRequestError, InternalServerError, ShuttingDownError
from uml_core.worker import CompletionRequest, Delta
from uml_core.worker.generation import AHEAD, Abandoned, Generation
from uml_core.worker.transcript import Finish

REQUEST = CompletionRequest(prompt="x")


class Bridge:
    def __init__(self):
        self.ticks = 0
        self.generation = Generation(asyncio.get_running_loop(), tick=self.tick)

    def tick(self):
        self.ticks += 1

    def run(self, answer, request=REQUEST):
        def work():
            with contextlib.suppress(ZeroDivisionError):
                self.generation.run(answer, request)

        self.thread = threading.Thread(target=work)
        self.thread.start()

    async def all(self):
        items = []
        while not items or isinstance(items[-1], str):
            items += await self.generation.take()
        self.thread.join(5)
        return items


@pytest.fixture
async def bridge():
    return Bridge()


async def test_texts_and_the_end_arrive_in_order(bridge):
    bridge.run(lambda request: [str(number) for number in range(1000)])
    *texts, end = await bridge.all()
    assert texts == [str(number) for number in range(1000)]
    assert end == Finish(reason="stop", prompt_tokens=0, completion_tokens=1000)
    assert bridge.ticks == 1000


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
    while bridge.generation._room.is_set() or made < AHEAD:
        await asyncio.sleep(0.001)
    first = len(await bridge.generation.take())
    assert first == AHEAD
    assert made <= 2 * AHEAD
    bridge.generation.cancel()
    bridge.thread.join(5)
    assert not bridge.thread.is_alive()


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
    bridge.thread.join(5)
    assert asked == 5
    assert closed_in is bridge.thread


async def test_a_cancel_before_the_start_never_asks_the_engine(bridge):
    bridge.generation.cancel()
    bridge.run(lambda request: pytest.fail("was asked"))
    bridge.thread.join(5)


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
