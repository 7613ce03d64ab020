"""What is seen of a connection below the requests: slow, large and broken heads, and packets."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from uml_core.server.protocol import GatewayProtocol


def error_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"hello there, how are you\r\n\r\n"])
async def test_what_is_no_http_gets_a_sentence(start_gateway, data):
    gateway = await start_gateway()
    assert error_in(await gateway.raw(data)) == (400, "invalid_request")


@pytest.mark.parametrize("begin", ["GET /%s", "GET / HTTP/1.1\r\nX-%s", "GET / HTTP/1.1\r\nX: %s"])
async def test_a_head_without_end_is_refused(start_gateway, begin):
    gateway = await start_gateway()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(begin.encode() % (b"x" * 1000))
    answer = b""
    with contextlib.suppress(ConnectionError):  # who goes on sending may never see the answer
        for _ in range(80):
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer == b"" or error_in(answer) == (413, "payload_too_large")
    assert (await gateway.http.get("/livez")).status_code == 200


async def until_read(gateway, size_bytes: int) -> None:
    async with asyncio.timeout(5):
        while not any(connection._head_bytes == size_bytes for connection in gateway.connections):
            await asyncio.sleep(0.001)


async def test_a_head_that_is_a_little_too_large_is_told_so(start_gateway):
    gateway = await start_gateway()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * (64 * 1024 - 20))
    await until_read(gateway, 64 * 1024 - 1)
    writer.write(b"x" * 100)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert error_in(answer) == (413, "payload_too_large")


async def test_a_large_body_is_no_large_head(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    response = await gateway.chat(messages=[{"role": "user", "content": "x" * 300_000}])
    assert response.status_code == 200


async def test_slow_heads_end(start_gateway, monkeypatch):
    monkeypatch.setattr(GatewayProtocol, "head_s", 0.05)
    gateway = await start_gateway()
    assert await gateway.raw(b"") == b""
    assert error_in(await gateway.raw(b"GET / HTTP/1.1\r\nHost: loc")) == (408, "request_timeout")


async def test_a_second_request_on_a_connection_has_its_own_time(start_gateway, wire, monkeypatch):
    monkeypatch.setattr(GatewayProtocol, "head_s", 0.05)

    async def slow(_, writer):
        await asyncio.sleep(0.1)
        writer.write(wire.json({"slow": 1}))

    gateway = await start_gateway(slow)
    for _ in range(2):
        assert (await gateway.chat()).json() == {"slow": 1}
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"}")
    writer.write(b"GET /livez HTTP/1.1\r\nHost: loc")
    assert error_in(await asyncio.wait_for(reader.read(), 5)) == (408, "request_timeout")
    writer.close()


async def test_pipelined_requests_are_answered_in_order(start_gateway):
    gateway = await start_gateway()
    ask = "GET /{} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {}\r\n{}\r\n"
    data = (
        ask.format("livez", "a", "") + ask.format("readyz", "b", "") + ask.format("livez", "c", "Connection: close\r\n")
    )
    answer = await gateway.raw(data.encode())
    places = [answer.index(b"x-request-id: " + name) for name in (b"a", b"b", b"c")]
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_a_short_answer_is_one_packet(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({"a": 1})))
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    body = b'{"model":"org/model","messages":[{"role":"user","content":"hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    packet = await reader.read(65536)
    assert packet.startswith(b"HTTP/1.1 200 OK")
    assert packet.endswith(b'{"a": 1}')
    writer.close()
