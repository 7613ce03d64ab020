"""The worker client against a real socket that misbehaves."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from uml_core.errors import WorkerCrashedError, WorkerTimeoutError
from uml_core.supervisor.client import WorkerClient


async def test_sends_one_buffer_with_the_token_and_reads_a_whole_body(start_worker, wire):
    worker = await start_worker(wire.bytes(wire.json({"a": "ö"})))
    client = worker.client()
    response = await client.post("/v1/x", {"text": "ü", "list": [1, None]})
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert await response.read() == b'{"a": "\\u00f6"}'
    (asked,) = worker.asked
    assert (asked.method, asked.path, asked.json()) == ("POST", "/v1/x", {"text": "ü", "list": [1, None]})
    assert asked.headers["authorization"] == "Bearer t0ken"
    assert client.active_streams == 0
    assert "t0ken" not in repr(client)


async def test_get_asks_without_a_body(start_worker, wire):
    worker = await start_worker(wire.bytes(wire.json({}, status=503)))
    response = await worker.client().get("/health")
    assert response.status == 503
    assert (worker.asked[0].method, worker.asked[0].body) == ("GET", b"")
    await response.aclose()


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/ä", "/\x00"])
async def test_refuses_paths_that_would_break_the_head(start_worker, wire, path):
    client = (await start_worker(wire.bytes(wire.json({})))).client()
    with pytest.raises(ValueError, match="no path"):
        await client.get(path)
    assert client.active_streams == 0


async def test_reads_a_body_that_ends_with_the_connection(start_worker, wire):
    worker = await start_worker(wire.bytes(b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nhello"))
    response = await worker.client().post("/", {})
    assert response.headers == {"x-a": "b"}
    assert await response.read() == b"hello"


async def test_reads_chunks_however_they_are_cut(start_worker, wire):
    whole = wire.SSE_HEAD + wire.chunk(b"one") + wire.chunk(b"two") + b"0\r\n\r\n"

    async def byte_by_byte(_, writer):
        for position in range(len(whole)):
            writer.write(whole[position : position + 1])
            await writer.drain()
            await asyncio.sleep(0)

    response = await (await start_worker(byte_by_byte)).client().post("/", {})
    assert await response.read() == b"onetwo"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"\x16\x03\x01 this is no HTTP",
    ],
)
async def test_an_answer_that_is_cut_or_broken_is_a_crash(start_worker, wire, data):
    client = (await start_worker(wire.bytes(data))).client()
    with pytest.raises(WorkerCrashedError, match="the worker of 'org/model'"):
        await (await client.post("/", {})).read()
    assert client.active_streams == 0


async def test_what_came_before_a_crash_is_given_first(start_worker, wire):
    response = await (await start_worker(wire.stream([b"a", b"b"], end=False))).client().post("/", {})
    assert await anext(aiter(response)) == b"ab"
    with pytest.raises(WorkerCrashedError):
        await anext(aiter(response))


async def test_nobody_listening_is_a_crash():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = WorkerClient("127.0.0.1", port, "t", model_id="m", generation=1, error_codes={}, silence_s=5)
    with pytest.raises(WorkerCrashedError, match="is gone"):
        await client.get("/")
    assert client.active_streams == 0


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
async def test_silence_is_a_timeout(start_worker, begin):
    async def silent(_, writer):
        writer.write(begin)
        await asyncio.sleep(60)

    worker = await start_worker(silent)
    client = worker.client(silence_s=0.05)
    with pytest.raises(WorkerTimeoutError, match=r"said nothing for 0.05 s"):
        await (await client.post("/", {})).read()
    await asyncio.wait_for(worker.gone.wait(), 5)
    assert client.active_streams == 0


async def test_a_slow_stream_is_not_silent(start_worker, wire):
    async def slow(_, writer):
        writer.write(wire.SSE_HEAD)
        for _ in range(10):
            writer.write(wire.chunk(b"x"))
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")

    response = await (await start_worker(slow)).client(silence_s=0.1).post("/", {})
    assert await response.read() == b"x" * 10


async def test_a_reader_that_waits_holds_the_worker_back_and_that_is_no_silence(start_worker, wire):
    sent = 0

    async def endless(_, writer):
        nonlocal sent
        writer.write(wire.SSE_HEAD)
        while True:
            writer.write(wire.chunk(b"x" * 65536))
            await writer.drain()
            sent += 65536

    worker = await start_worker(endless)
    response = await worker.client(silence_s=0.1).post("/", {})
    seen = -1
    while sent != seen:  # until the kernel's buffers and ours are full
        seen = sent
        await asyncio.sleep(0.15)
    assert seen < 32 * 2**20
    assert response._unread_bytes < 1024 * 1024
    assert len(await anext(aiter(response))) > 256 * 1024
    await response.aclose()
    await asyncio.wait_for(worker.gone.wait(), 5)


async def test_closing_early_drops_the_connection(start_worker, wire):
    async def endless(_, writer):
        writer.write(wire.SSE_HEAD + wire.chunk(b"x"))
        await asyncio.sleep(60)

    worker = await start_worker(endless)
    client = worker.client()
    response = await client.post("/", {})
    assert client.active_streams == 1
    await response.aclose()
    await response.aclose()
    assert client.active_streams == 0
    assert [piece async for piece in response] == []
    await asyncio.wait_for(worker.gone.wait(), 5)


@pytest.mark.parametrize("loop_turns", range(12))
async def test_a_cancelled_request_leaves_no_connection(start_worker, loop_turns):
    async def silent(_, writer):
        await asyncio.sleep(60)

    worker = await start_worker(silent)
    client = worker.client()
    task = asyncio.create_task(client.post("/", {}))
    for _ in range(loop_turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.active_streams == 0
    if worker.asked:
        await asyncio.wait_for(worker.gone.wait(), 5)


async def test_a_body_without_end_is_refused(start_worker, wire, monkeypatch):
    monkeypatch.setattr("uml_core.supervisor.http.LARGEST_BODY_BYTES", 100_000)

    async def endless(_, writer):
        writer.write(wire.SSE_HEAD)
        while True:
            writer.write(wire.chunk(b"x" * 50_000))
            await writer.drain()

    worker = await start_worker(endless)
    response = await worker.client().post("/", {})
    with pytest.raises(WorkerCrashedError, match="never ends"):
        await response.read()
    await asyncio.wait_for(worker.gone.wait(), 5)


def test_on_uvloop_too(wire):
    """The gateway's own loop: no delay of small packets, back-pressure, and cancelling."""

    async def scenario() -> None:
        gone = asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(wire.SSE_HEAD)
            try:
                while True:
                    writer.write(wire.chunk(b"x" * 65536))
                    await writer.drain()
            except ConnectionError:
                gone.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = WorkerClient("127.0.0.1", port, "t", model_id="m", generation=1, error_codes={}, silence_s=5)
        response = await client.get("/")
        stream = response._transport.get_extra_info("socket")
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        for _ in range(200):
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert response._unread_bytes < 1024 * 1024
        async for _ in response:
            break
        await response.aclose()
        await asyncio.wait_for(gone.wait(), 5)
        task = asyncio.create_task(client.get("/"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert client.active_streams == 0
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
