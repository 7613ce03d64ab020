"""What a request may take: time, patience with its client, and an end from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

import pytest

from uml_core.errors import RequestCancelledError, WorkerTimeoutError
from uml_core.server.pace import Pace


def error_in(block: bytes) -> dict:
    assert b"[DONE]" not in block
    return json.loads(block.rstrip(b"\n").split(b"\n\n")[-1].removeprefix(b"data: "))["error"]


def for_ever(wire, begin=b""):
    async def script(_, writer):
        writer.write(begin)
        await asyncio.sleep(60)

    return script


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_takes_too_long_before_it_begins(start_gateway, wire, stream):
    gateway = await start_gateway(for_ever(wire), server={"request_limit_s": 0.05})
    response = await gateway.chat(stream=stream)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (504, "deadline_exceeded", "server_error")
    assert "0.05 s" in error["message"]
    assert response.headers["x-should-retry"] == "false"
    await asyncio.wait_for(gateway.worker.gone.wait(), 5)
    assert gateway.supervisor.leases == 0


async def test_an_answer_that_takes_too_long_in_the_middle(start_gateway, wire):
    begin = wire.SSE_HEAD + wire.chunk(wire.frame("a"))
    gateway = await start_gateway(for_ever(wire, begin), server={"request_limit_s": 0.1})
    response = await gateway.chat(stream=True)
    assert response.content.startswith(wire.frame("a"))
    assert error_in(response.content)["code"] == "deadline_exceeded"


async def test_a_wait_for_a_model_is_part_of_it(start_gateway):
    gateway = await start_gateway(loaded=None, loading=asyncio.Event(), server={"request_limit_s": 0.05})
    assert (await gateway.chat()).json()["error"]["code"] == "deadline_exceeded"
    assert not gateway.supervisor.job("job_1").ended


@pytest.mark.parametrize(("asked", "limit_s", "said"), [("0.05", 30, "0.05 s"), ("60", 0.05, "0.05 s")])
async def test_a_client_may_shorten_it_only(start_gateway, wire, asked, limit_s, said):
    gateway = await start_gateway(for_ever(wire), server={"request_limit_s": limit_s})
    body = {"model": "org/model", "prompt": "a"}
    response = await gateway.http.post("/v1/completions", json=body, headers={"X-Request-Timeout": asked})
    assert response.status_code == 504
    assert said in response.json()["error"]["message"]


@pytest.mark.parametrize("asked", ["", "0", "-1", "soon", "nan", "1 s"])
async def test_times_that_are_none(start_gateway, asked):
    gateway = await start_gateway()
    body = {"model": "org/model", "prompt": "a"}
    response = await gateway.http.post("/v1/completions", json=body, headers={"X-Request-Timeout": asked})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert gateway.supervisor.given == 0


@pytest.mark.parametrize("reason", [RequestCancelledError("unloaded"), WorkerTimeoutError("it hangs")])
@pytest.mark.parametrize("begun", [True, False])
async def test_a_lease_that_is_revoked(start_gateway, wire, until, reason, begun):
    begin = wire.SSE_HEAD + wire.chunk(wire.frame("a") + b"data: part")
    gateway = await start_gateway(for_ever(wire, begin if begun else b""))
    request = asyncio.create_task(gateway.chat(stream=True))
    await until(lambda: gateway.worker.asked)
    if begun:
        await until(lambda: any(e.first_s for e in gateway.in_flight._exchanges))
    gateway.supervisor.tickets[0].revoke(reason)
    response = await request
    if begun:
        assert response.content.startswith(wire.frame("a"))
        assert error_in(response.content)["code"] == reason.code
    else:
        assert (response.status_code, response.json()["error"]["code"]) == (reason.status, reason.code)
    await asyncio.wait_for(gateway.worker.gone.wait(), 5)
    assert gateway.supervisor.leases == 0


async def test_revoking_what_is_over_is_nothing(start_gateway, wire, until):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    assert (await gateway.chat()).status_code == 200
    gateway.supervisor.tickets[0].revoke(RequestCancelledError("unloaded"))
    assert (await gateway.chat()).status_code == 200


async def flood(gateway, path="/v1/completions", **rest):
    """Ask for a stream and read nothing of it."""
    body = json.dumps({"model": "org/model", "prompt": "a", "stream": True, **rest})
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def rest_of(reader) -> bytes:
    last = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(2**16):
            last = (last + piece)[-100:]
    return last


def flooding(wire):
    async def script(_, writer):
        writer.write(wire.SSE_HEAD)
        while True:
            writer.write(wire.chunk(wire.frame("x" * 1000) * 64))
            await writer.drain()

    return script


async def test_a_client_that_takes_nothing_is_cut_off(start_gateway, wire, until, caplog):
    gateway = await start_gateway(flooding(wire), pace=Pace(hold_s=0.05, stall_s=0.2))
    reader, writer = await flood(gateway)
    await asyncio.wait_for(gateway.worker.gone.wait(), 10)
    await until(lambda: gateway.in_flight.count == 0 and not gateway.connections)
    assert gateway.supervisor.leases == 0
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not (await rest_of(reader)).endswith(b"0\r\n\r\n"), "nobody may take it for whole"
    writer.close()
    assert gateway.storage.rows[-1]["code"] == "slow_consumer"


async def test_a_client_that_takes_little_is_not(start_gateway, wire, until):
    gateway = await start_gateway(flooding(wire), pace=Pace(hold_s=0.05, stall_s=0.15))
    reader, writer = await flood(gateway)
    for _ in range(10):
        await asyncio.sleep(0.1)
        for _ in range(60):
            await reader.readexactly(10_000)
    assert gateway.in_flight.count == 1
    writer.close()
    await until(lambda: gateway.in_flight.count == 0)


async def test_last_words_are_not_waited_for_for_ever(start_gateway, wire, until):
    """The worker dies while the client takes nothing: the client can't be told, and is cut off."""
    gateway = await start_gateway(flooding(wire), pace=Pace(hold_s=0.05, stall_s=0.3))
    _, writer = await flood(gateway)
    await until(lambda: any(connection.flow.write_paused for connection in gateway.connections))
    await gateway.worker.close()
    await until(lambda: gateway.in_flight.count == 0)
    writer.close()


async def test_at_the_end_a_client_that_takes_nothing_is_cut_off_after_others_were_told(start_gateway, wire, until):
    gateway = await start_gateway(flooding(wire))
    _, writer = await flood(gateway)
    await until(lambda: any(connection.flow.write_paused for connection in gateway.connections))
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await gateway.in_flight.drain(0.1, last_words_s=0.1, abort_s=5)
    assert loop.time() - begin < 1
    assert (gateway.in_flight.count, gateway.supervisor.leases) == (0, 0)
    writer.close()
    await until(lambda: gateway.storage.rows[-1]["status"] != "started")
    assert gateway.storage.rows[-1]["code"] == "server_shutdown"


async def test_the_wait_for_a_load_is_told_with_its_progress(start_gateway):
    gateway = await start_gateway(loaded=None, loading=asyncio.Event(), server={"load_wait_s": 0.05})
    response = await gateway.chat()
    assert response.status_code == 503
    assert response.json()["job"] == {
        "id": "job_1",
        "state": "starting",
        "progress": {
            "stage": "loading",
            "part": 0.5,
            "source": "log",
            "bytes_done": None,
            "bytes_total": None,
            "elapsed_s": 0.0,
            "eta_s": None,
        },
    }
    assert not gateway.supervisor.job("job_1").ended
