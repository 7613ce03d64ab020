"""A worker that dies before its first word: the request is asked again, as long as that is allowed and true."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from pydantic import BaseModel

from uml_core import hookimpl
from uml_core.errors import ModelFailedError, ModelLoadingError, RequestCrashedWorkerError
from uml_core.server.pace import Pace
from uml_core.types import Task


def dying(wire, deaths, *, begin=b"", rest=None):
    """A script that sends *begin* and drops the connection so many times, then answers."""
    asked = 0

    async def script(said, writer):
        nonlocal asked
        asked += 1
        if asked <= deaths:
            writer.write(begin)
        elif said.json().get("stream"):
            writer.write(wire.SSE_HEAD + b"".join(map(wire.chunk, rest or wire.answer("a"))) + b"0\r\n\r\n")
        else:
            writer.write(wire.json({"choices": []}))
        await writer.drain()

    return script


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("deaths", [1, 3])
async def test_a_request_outlives_workers(start_gateway, wire, stream, deaths):
    gateway = await start_gateway(dying(wire, deaths), exits={7, 8, 9})
    response = await gateway.chat(stream=stream)
    assert (response.status_code, response.headers["x-uml-attempts"]) == (200, str(deaths + 1))
    assert response.headers["x-uml-generation"] == str(7 + deaths)
    assert [ticket.attempt for ticket in gateway.supervisor.tickets] == list(range(1, deaths + 2))
    assert len({ticket.id for ticket in gateway.supervisor.tickets}) == 1
    assert gateway.supervisor.leases == 0
    if stream:
        assert response.content == b"".join(wire.answer("a")).replace(wire.usage(), b"")


async def test_an_answer_at_the_first_attempt_says_nothing_of_attempts(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    assert "x-uml-attempts" not in (await gateway.chat()).headers


@pytest.mark.parametrize("begin", ["head", "half a frame", "comment", "half a body"])
async def test_what_is_no_answer_yet_is_no_obstacle(start_gateway, wire, begin):
    sent = {
        "head": wire.SSE_HEAD,
        "half a frame": wire.SSE_HEAD + wire.chunk(wire.frame("a")[:20]),
        "comment": wire.SSE_HEAD + wire.chunk(b": hello\n\n"),
        "half a body": wire.json({"choices": []})[:-3],
    }[begin]
    gateway = await start_gateway(dying(wire, 1, begin=sent), exits={7})
    response = await gateway.chat(stream=begin != "half a body")
    assert response.status_code == 200
    assert b"error" not in response.content
    assert len(gateway.worker.asked) == 2


async def test_pings_are_no_answer_yet(start_gateway, wire):
    asked = 0

    async def script(_, writer):
        nonlocal asked
        asked += 1
        writer.write(wire.SSE_HEAD)
        await asyncio.sleep(0.1)
        if asked == 2:
            writer.write(b"".join(map(wire.chunk, wire.answer("a"))) + b"0\r\n\r\n")

    gateway = await start_gateway(script, exits={7}, pace=Pace(hold_s=0.01, ping_s=0.02))
    response = await gateway.chat(stream=True)
    assert response.content.startswith(b": ping\n\n")
    assert response.content.endswith(wire.DONE)
    assert asked == 2


async def test_a_frame_that_was_forwarded_is_not_told_twice(start_gateway, wire):
    begun = wire.SSE_HEAD + wire.chunk(wire.frame("a"))
    gateway = await start_gateway(dying(wire, 1, begin=begun), exits={7})
    response = await gateway.chat(stream=True)
    assert response.content.startswith(wire.frame("a"))
    assert json.loads(response.content.split(b"\n\n")[1][6:])["error"]["code"] == "worker_crashed"
    assert len(gateway.worker.asked) == 1


async def test_a_worker_that_is_alive_is_not_asked_again(start_gateway, wire):
    gateway = await start_gateway(dying(wire, 1))
    response = await gateway.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (500, "worker_crashed")
    assert len(gateway.worker.asked) == 1


async def test_silence_is_no_crash(start_gateway, wire):
    async def script(*_):
        await asyncio.sleep(60)

    gateway = await start_gateway(script, exits={7}, options={"silence_s": 0.05})
    assert (await gateway.chat()).json()["error"]["code"] == "worker_timeout"
    assert len(gateway.worker.asked) == 1


@pytest.mark.parametrize(
    ("refusal", "status", "permanent"),
    [
        (RequestCrashedWorkerError("this request makes the engine crash"), 422, True),
        (ModelFailedError("the model crashed 5 times"), 503, True),
        (ModelLoadingError("still loading", retry_after_s=7), 503, False),
    ],
)
async def test_the_supervisor_says_when_it_is_enough(start_gateway, wire, refusal, status, permanent):
    gateway = await start_gateway(dying(wire, 9), exits={7, 8}, refused={3: refusal})
    response = await gateway.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (status, refusal.code)
    assert (response.headers.get("x-should-retry") == "false") == permanent
    assert response.headers["x-uml-attempts"] == "3"
    assert len(gateway.worker.asked) == 2


class Body(BaseModel):
    text: str


async def test_what_is_not_stateless_is_asked_once(start_gateway, wire):
    async def handle(request, worker):
        return await worker.post("/v1/remember", {"text": request.text})

    class Extra:
        uml_api_version = 1

        @hookimpl
        def uml_tasks(self):
            yield Task(name="text-generation", path="/v1/remember", request=Body, handle=handle, stateless=False)

    gateway = await start_gateway(dying(wire, 1), exits={7}, extra=Extra())
    response = await gateway.http.post("/v1/remember", json={"text": "a"})
    assert (response.status_code, len(gateway.worker.asked)) == (500, 1)


async def test_a_client_that_leaves_is_not_asked_for_again(start_gateway, wire, until):
    gateway = await start_gateway(dying(wire, 1), exits={7}, exit_s=60.0)
    request = asyncio.create_task(gateway.chat())
    await until(lambda: gateway.supervisor.given == 1 and gateway.supervisor.leases == 0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await until(lambda: gateway.in_flight.count == 0)
    assert len(gateway.worker.asked) == 1


async def test_the_same_question_has_the_same_fingerprint(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    await gateway.chat()
    await gateway.chat()
    await gateway.chat(seed=1)
    await gateway.http.post("/v1/completions", json={"model": "org/model", "prompt": "hi"})
    first, same, other, completion = (ticket.fingerprint for ticket in gateway.supervisor.tickets)
    assert first == same
    assert len({first, other, completion}) == 3
    assert len(first) == 16


async def test_the_official_client_sees_nothing_of_a_crash(start_gateway, wire):
    gateway = await start_gateway(dying(wire, 2), exits={7, 8})
    http = openai.DefaultAsyncHttpxClient(verify=False)
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, http_client=http) as client:
        messages = [{"role": "user", "content": "hi"}]
        stream = await client.chat.completions.create(model="org/model", messages=messages, stream=True)
        assert [chunk.choices[0].delta.content async for chunk in stream] == ["a", None]
