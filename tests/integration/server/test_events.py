"""What happens, as its readers see it: quick ones, slow ones, and those that come back."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from uml_core.server.pace import Pace
from uml_core.supervisor.events import REMEMBERED
from uml_core.types import LoadRequest


class Reader:
    """A client of an event stream that reads as it is told to."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.buffer = b""
        self.ended = False

    async def block(self) -> bytes:
        """The next block, without its chunked frame."""
        while b"\n\n" not in self.buffer:
            size = int(await self.reader.readline(), 16)
            self.buffer += (await self.reader.readexactly(size + 2))[:-2]
            self.ended = size == 0
            if self.ended:
                return b""
        block, _, self.buffer = self.buffer.partition(b"\n\n")
        return block

    async def to_the_end(self) -> None:
        while not self.ended:
            await self.block()

    async def event(self) -> dict:
        """The next event that is no comment; empty when the stream has ended properly."""
        while (block := await asyncio.wait_for(self.block(), 10)).startswith(b":"):
            pass
        lines = dict(line.split(": ", 1) for line in block.decode().splitlines())
        return {**lines, "data": json.loads(lines["data"])} if lines else {}


@pytest.fixture
async def listen():
    """Open event streams that live as long as the test; gives a reader once the head has come."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(gateway, path="/events", *, after=None, limit=2**16):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=limit)
            stack.callback(writer.close)
            known = "" if after is None else f"Last-Event-ID: {after}\r\n"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{known}\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200")
            assert b"content-type: text/event-stream; charset=utf-8" in head
            assert b"cache-control: no-store" in head
            return Reader(reader, writer)

        yield start


async def test_events_come_as_they_happen_with_ids_that_rise(start_gateway, listen):
    gateway = await start_gateway()
    reader = await listen(gateway)
    gateway.supervisor.events.publish("queue", {"length": 1})
    gateway.supervisor.events.publish("worker", {"state": "ready", "text": "a\nb"})
    first, second = await reader.event(), await reader.event()
    assert first == {"id": "1", "event": "queue", "data": {"length": 1}}
    assert second == {"id": "2", "event": "worker", "data": {"state": "ready", "text": "a\nb"}}


async def test_who_comes_back_gets_what_it_missed(start_gateway, listen):
    gateway = await start_gateway()
    for number in range(5):
        gateway.supervisor.events.publish("queue", {"length": number})
    reader = await listen(gateway, after=3)
    assert [(await reader.event())["id"] for _ in range(2)] == ["4", "5"]


@pytest.mark.parametrize("after", ["", "x", "-1", "1.5", "9" * 30, "999"])
async def test_an_id_that_never_came_from_here_begins_with_the_next(start_gateway, listen, after):
    gateway = await start_gateway()
    gateway.supervisor.events.publish("queue", {"length": 1})
    reader = await listen(gateway, after=after)
    gateway.supervisor.events.publish("queue", {"length": 2})
    assert (await reader.event())["data"] == {"length": 2}


async def test_who_was_away_too_long_is_told_so(start_gateway, listen):
    gateway = await start_gateway()
    for number in range(REMEMBERED + 10):
        gateway.supervisor.events.publish("queue", {"length": number})
    reader = await listen(gateway, after=4)
    lagged = await reader.event()
    assert (lagged["event"], lagged["data"]) == ("lagged", {"missed": 6})
    assert (await reader.event())["id"] == "11"


async def test_a_slow_reader_loses_events_and_slows_nobody(start_gateway, listen, until):
    gateway = await start_gateway(pace=Pace(stall_s=0.05))
    slow, quick = await listen(gateway, limit=1024), await listen(gateway)
    filler = "x" * 20_000
    for number in range(2000):  # more than what the system buffers for a connection, and what is remembered
        gateway.supervisor.events.publish("worker", {"filler": filler})
        assert (await quick.event())["id"] == str(number + 1)
    await asyncio.sleep(0.2)  # a reader of a stream of its own would be cut off by now
    kinds, last = [], 0
    while last < 2000:
        event = await slow.event()
        kinds.append(event["event"])
        if event["event"] == "lagged":
            assert event["data"]["missed"] > 0
        assert int(event["id"]) > last
        last = int(event["id"])
    assert "lagged" in kinds
    assert gateway.in_flight.count == 0


async def test_a_silent_stream_is_kept_open(start_gateway, listen):
    gateway = await start_gateway(pace=Pace(ping_s=0.02))
    reader = await listen(gateway)
    assert await asyncio.wait_for(reader.block(), 5) == b": ping"
    assert await asyncio.wait_for(reader.block(), 5) == b": ping"


async def test_one_job_from_where_it_stands_to_its_end(start_gateway, listen):
    gateway = await start_gateway(loading=asyncio.Event())
    await gateway.http.post("/load_model", json={"model": "other"})
    reader = await listen(gateway, "/jobs/job_1/events")
    now = await reader.event()
    assert (now["event"], now["data"]["state"], "id" in now) == ("job", "starting", False)
    assert now["data"] == (await gateway.http.get("/jobs/job_1")).json()
    gateway.supervisor.events.publish("queue", {"length": 1})
    gateway.supervisor.events.publish("job", {"id": "job_9", "finished": "now"})
    gateway.supervisor.loading.set()
    end = await reader.event()
    assert (end["event"], end["data"]["state"], "id" in end) == ("job", "committed", True)
    assert await reader.event() == {}
    assert reader.ended


@pytest.mark.parametrize("after", [None, 0, 99])
async def test_a_job_that_has_ended_is_told_once(start_gateway, listen, after):
    gateway = await start_gateway()
    await gateway.http.post("/load_model", json={"model": "other", "wait": True})
    reader = await listen(gateway, "/jobs/job_1/events", after=after)
    assert (await reader.event())["data"]["state"] == "committed"
    assert await reader.event() == {}


async def test_who_comes_back_to_a_job_goes_on_from_there(start_gateway, listen):
    gateway = await start_gateway(loading=asyncio.Event())
    job = await gateway.supervisor.submit(LoadRequest(model="other"))
    gateway.supervisor._note(job, job.state, waiting=1)
    gateway.supervisor._note(job, job.state, waiting=2)
    reader = await listen(gateway, f"/jobs/{job.id}/events", after=2)
    first = await reader.event()
    assert (first["id"], first["data"]["waiting"]) == ("3", 2)


async def test_a_job_whose_end_was_lost_is_told_again(start_gateway, listen):
    gateway = await start_gateway(loading=asyncio.Event())
    await gateway.http.post("/load_model", json={"model": "other"})
    reader = await listen(gateway, "/jobs/job_1/events", after=1)
    gateway.supervisor.loading.set()
    gateway.supervisor.tasks["job_1"].add_done_callback(
        lambda _: [gateway.supervisor.events.publish("queue", {"length": 0}) for _ in range(REMEMBERED + 1)]
    )
    events = []
    while event := await reader.event():
        events.append(event)
    assert events[-1]["data"]["state"] == "committed"
    assert [event["event"] for event in events] in (["job"], ["lagged", "job"])


async def test_listeners_are_not_waited_for_and_end_properly(start_gateway, listen):
    gateway = await start_gateway(loading=asyncio.Event())
    await gateway.http.post("/load_model", json={"model": "other"})
    everything, job = await listen(gateway), await listen(gateway, "/jobs/job_1/events")
    await job.event()
    assert gateway.in_flight.count == 0
    async with asyncio.timeout(2):
        await gateway.in_flight.drain(60)
    assert (await everything.event(), await job.event()) == ({}, {})
    assert everything.ended
    assert job.ended


async def test_a_listener_that_takes_nothing_is_dropped_at_the_end(start_gateway, listen, until):
    gateway = await start_gateway()
    reader = await listen(gateway, limit=1024)
    filler = "x" * 500_000

    def is_stuck() -> bool:
        gateway.supervisor.events.publish("worker", {"filler": filler})
        return any(connection.flow.write_paused for connection in gateway.connections)

    await until(is_stuck)
    await asyncio.sleep(0.02)
    async with asyncio.timeout(2):
        await gateway.in_flight.drain(60, last_words_s=0.05)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ValueError)):
        await reader.to_the_end()


async def test_the_supervisors_end_is_the_end_of_all(start_gateway, listen):
    gateway = await start_gateway()
    reader = await listen(gateway)
    gateway.supervisor.events.close()
    assert await reader.event() == {}


async def test_a_listener_that_leaves_leaves_nothing(start_gateway, listen, until):
    gateway = await start_gateway()
    reader = await listen(gateway)
    reader.writer.close()
    await until(lambda: not gateway.in_flight._listeners)


async def test_head_of_a_stream_is_only_its_head(start_gateway):
    gateway = await start_gateway()
    response = await gateway.http.head("/events")
    assert (response.status_code, response.content) == (200, b"")
