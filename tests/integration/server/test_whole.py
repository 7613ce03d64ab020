"""The gateway with its real supervisor, database and processes of workers: what clients see of trouble."""

from __future__ import annotations

import asyncio
import json

import openai
import psutil
import pytest

MESSAGES = [{"role": "user", "content": "hi"}]


def error_in(content: bytes) -> dict:
    """The error frame that a stream ended with, and that nothing followed."""
    assert b"[DONE]" not in content
    return json.loads(content.rstrip(b"\n").split(b"\n\n")[-1].removeprefix(b"data: "))["error"]


async def stream_of(house, **rest):
    return await house.openai.chat.completions.create(messages=MESSAGES, stream=True, **rest)


async def code_of(stream) -> str:
    """What the official client raises in the middle of a stream; it must never come to a quiet end."""
    with pytest.raises(openai.APIError) as raised:
        async for _ in stream:
            pass
    return raised.value.code


async def test_a_request_loads_its_model_and_is_answered(start_house):
    house = await start_house()
    response = await house.chat(model=house.model("a", text="hello"))
    assert response.json()["choices"][0]["message"]["content"] == "hello"
    active = (await house.http.get("/active_model")).json()
    assert (active["model"], active["restarts"], active["health"], active["job"]) == ("a", 0, "ok", None)
    (row,) = await house.rows("status, code, http_status, attempts, model_id, completion_tokens, streamed")
    assert row == ("ok", None, 200, 1, "a", 5, 0)


async def test_a_load_that_fails_leaves_the_model_before(start_house):
    house = await start_house()
    await house.load(house.model("a"))
    response = await house.load(house.model("b", load_exit=3))
    job = response.json()["job"]
    assert response.status_code >= 400
    assert (job["state"], job["rolled_back"], job["previous"]) == ("rolled_back", True, "a")
    assert (await house.chat(model="a")).status_code == 200


async def test_a_killed_worker_before_the_first_word(start_house, until):
    house = await start_house()
    await house.load(house.model("a", slow_prefill_s=0.4))
    pid = (await house.http.get("/active_model")).json()["pid"]
    request = asyncio.create_task(house.http.post("/v1/completions", json={"prompt": "two words"}))
    await until(lambda: house.supervisor.active().leases == 1)
    psutil.Process(pid).kill()
    response = await request
    assert (response.status_code, response.headers["x-uml-attempts"]) == (200, "2")
    assert await house.rows("status, attempts, generation") == [("ok", 2, 2)]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"stream_fault": "crash"}, "worker_crashed"),
        ({"stream_fault": "half_frame"}, "worker_crashed"),
        ({"stream_fault": "close"}, "worker_crashed"),
        ({"stream_fault": "error"}, "engine_failed"),
        ({"busy_hang": "gil"}, "worker_timeout"),  # silent for too long
        ({"busy_hang": "deadlock"}, "worker_timeout"),  # ended because it did nothing
    ],
)
async def test_the_official_client_raises_in_the_middle_of_a_stream(start_house, fault, code):
    hang = {"request_timeout_s": 1.0} if fault.get("busy_hang") == "gil" else {"hang_s": 0.5}
    house = await start_house(supervisor=hang)
    await house.load(house.model("a", **fault))
    stream = await stream_of(house, model="a")
    assert await code_of(stream) == code
    assert [row[0] for row in await house.rows("code")] == [code]


async def test_an_unload_in_the_middle_of_a_stream(start_house):
    house = await start_house(supervisor={"drain_timeout_s": 0.2})
    await house.load(house.model("a", tokens=1000, token_s=0.05))
    stream = await stream_of(house, model="a")
    await anext(stream)
    unload = asyncio.create_task(house.http.post("/unload_model", json={}))
    assert await code_of(stream) == "cancelled"
    job = (await unload).json()
    assert (job["state"], job["previous"], job["release"]["leftover_pids"]) == ("committed", "a", [])
    assert await house.rows("status, code") == [("cancelled", "cancelled")]


async def test_the_servers_end_in_the_middle_of_a_stream(start_house):
    house = await start_house()
    await house.load(house.model("a", tokens=1000, token_s=0.05))
    stream = await stream_of(house, model="a")
    await anext(stream)
    drain = asyncio.create_task(house.in_flight.drain(0.2))
    assert await code_of(stream) == "server_shutdown"
    await drain


@pytest.mark.proof
async def test_a_poisonous_request_is_refused_in_the_end(start_house):
    house = await start_house()
    await house.load(house.model("a", poison="poison"))
    response = await house.http.post("/v1/completions", json={"prompt": "a poison"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (422, "request_crashed_worker")
    assert response.headers["x-should-retry"] == "false"
    assert int(response.headers["x-uml-attempts"]) > 1
    assert (await house.http.post("/v1/completions", json={"prompt": "hi"})).status_code == 200


async def test_a_client_that_leaves_does_not_end_the_load(start_house, until):
    house = await start_house()
    request = asyncio.create_task(house.chat(model=house.model("a", load_s=0.5)))
    await until(lambda: house.supervisor.active() is not None)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    (job,) = (await house.http.get("/jobs")).json()["data"]
    ended = await house.http.get(f"/jobs/{job['id']}/events")
    assert b'"state":"committed"' in ended.content.split(b"\n\n")[-2]


async def test_a_long_load_is_told_with_its_progress(start_house):
    house = await start_house(server={"load_wait_s": 0.3})
    house.model("a", load_s=1.0)
    response = await house.chat(model="a")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_loading")
    assert 1 <= int(response.headers["retry-after"]) <= 30
    assert response.json()["job"]["progress"]["stage"] in {"launching", "loading"}
    assert (await house.chat(model="a")).status_code in {200, 503}


async def test_cancelling_a_load(start_house, until):
    house = await start_house()
    load = asyncio.create_task(house.load(house.model("a", hold_gil="before", hold_gil_s=5.0)))
    await until(lambda: house.supervisor.active() is not None)
    (job,) = (await house.http.get("/jobs")).json()["data"]
    cancelled = await house.http.delete(f"/jobs/{job['id']}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert (await load).json()["error"]["code"] == "cancelled"
    assert (await house.http.get("/active_model")).json()["model"] is None


async def test_a_model_that_gives_no_number_is_not_loaded(start_house):
    house = await start_house()
    response = await house.load(house.model("a", probe_fault="nan"))
    assert (response.status_code, response.json()["error"]["code"]) == (500, "model_load_failed")
    assert "no number" in response.json()["error"]["message"]
