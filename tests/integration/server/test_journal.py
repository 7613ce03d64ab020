"""A row for each request that was accepted, with one end."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from uml_core.errors import WorkerTimeoutError


async def rows_of(gateway, until, count=1):
    await until(lambda: sum(row["status"] != "started" for row in gateway.storage.rows) == count)
    return gateway.storage.rows


async def test_a_good_stream(start_gateway, wire, until):
    gateway = await start_gateway(wire.stream(wire.answer("secret answer")))
    response = await gateway.chat(stream=True, messages=[{"role": "user", "content": "secret prompt"}])
    begun, ended = await rows_of(gateway, until)
    assert begun == {
        "id": "run-1",
        "run_id": "run",
        "request_id": response.headers["x-request-id"],
        "started": begun["started"],
        "model_id": "org/model",
        "task": "text-generation",
        "path": "/v1/chat/completions",
        "status": "started",
        "streamed": True,
    }
    assert 0 < ended.pop("first_token_s") <= ended.pop("total_s") < 5
    started, finished = (datetime.fromisoformat(ended[name]) for name in ("started", "finished"))
    assert started <= finished
    assert started.utcoffset() is not None
    del ended["finished"]
    assert ended == {
        **begun,
        "generation": 7,
        "attempts": 1,
        "status": "ok",
        "code": None,
        "http_status": 200,
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "queue_s": 0.25,
    }
    assert "secret" not in str(gateway.storage.rows)


async def test_a_whole_answer(start_gateway, wire, until):
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    gateway = await start_gateway(wire.bytes(wire.json({"choices": [], "usage": usage})))
    await gateway.chat()
    _, ended = await rows_of(gateway, until)
    assert (ended["status"], ended["completion_tokens"], ended["first_token_s"]) == ("ok", 5, None)
    assert ended["streamed"] is False


async def test_what_is_refused_before_it_is_accepted_has_none(start_gateway, wire, until):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    await gateway.chat(temperature=99)
    await gateway.chat(model="nobody")
    await gateway.http.get("/v1/models")
    await gateway.http.post("/load_model", json={"model": "other"})
    await gateway.chat()
    rows = await rows_of(gateway, until)
    assert [row["id"] for row in rows] == ["run-1", "run-1"]


async def error_of_the_engine(gateway, wire):
    gateway.worker.script = wire.bytes(wire.json({"error": {"message": "no"}}, status=400))
    return ("error", "invalid_request", 400)


async def a_crash_before(gateway, wire):
    gateway.worker.script = wire.bytes(b"")
    return ("error", "worker_crashed", 500)


async def a_crash_within(gateway, wire):
    gateway.worker.script = wire.stream([wire.frame("a")], end=False)
    return ("error", "worker_crashed", 200)


async def a_hang(gateway, wire):
    gateway.supervisor.refused[1] = WorkerTimeoutError("it hangs")
    return ("error", "worker_timeout", 504)


@pytest.mark.parametrize("trouble", [error_of_the_engine, a_crash_before, a_crash_within, a_hang])
async def test_ends_in_error(start_gateway, wire, until, trouble):
    gateway = await start_gateway(wire.bytes(b""))
    expected = await trouble(gateway, wire)
    await gateway.chat(stream=True)
    _, ended = await rows_of(gateway, until)
    assert (ended["status"], ended["code"], ended["http_status"]) == expected


async def test_a_client_that_left(start_gateway, wire, until):
    async def script(_, writer):
        await asyncio.sleep(60)

    gateway = await start_gateway(script)
    request = asyncio.create_task(gateway.chat())
    await until(lambda: gateway.worker.asked)
    assert [row["status"] for row in gateway.storage.rows] == ["started"]
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    _, ended = await rows_of(gateway, until)
    assert (ended["status"], ended["code"], ended["http_status"]) == ("cancelled", "client_gone", None)


async def test_attempts_are_one_row(start_gateway, wire, until):
    asked = 0

    async def script(_, writer):
        nonlocal asked
        asked += 1
        writer.write(wire.json({}) if asked == 3 else b"")

    gateway = await start_gateway(script, exits={7, 8})
    await gateway.chat()
    _, ended = await rows_of(gateway, until)
    assert (ended["status"], ended["attempts"], ended["generation"], ended["queue_s"]) == ("ok", 3, 9, 0.75)


async def test_every_row_has_its_own_id_and_one_end(start_gateway, wire, until):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    await asyncio.gather(*(gateway.chat() for _ in range(20)))
    rows = await rows_of(gateway, until, 20)
    ids = [row["id"] for row in rows]
    assert sorted(ids) == sorted(2 * [f"run-{number}" for number in range(1, 21)])
    assert sum(row["status"] == "ok" for row in rows) == 20
