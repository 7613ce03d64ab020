"""What clients see of a worker's answer, in good and in bad times."""

from __future__ import annotations

import asyncio
import json

import pytest

from uml_core.errors import WorkerCrashedError
from uml_core.server.failure import WAY_OUT
from uml_core.server.pace import Pace


def error_in(frame: bytes) -> dict:
    assert frame.startswith(b"data: ")
    return json.loads(frame[6:])["error"]


async def test_a_whole_answer_is_passed_on_as_bytes(start_gateway, wire):
    body = {"choices": [{"message": {"content": "ö"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
    gateway = await start_gateway(wire.bytes(wire.json(body)))
    response = await gateway.chat(temperature=0.5, unknown_field=1, max_completion_tokens=9)
    assert (response.status_code, response.content) == (200, json.dumps(body).encode())
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-uml-generation"] == "7"
    assert response.headers["x-request-id"].startswith("req_")
    assert gateway.worker.asked[0].json() == {
        "model": "org/model",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "max_tokens": 9,
    }
    assert gateway.supervisor.leases == 0


async def test_a_stream_is_passed_on_frame_by_frame_without_the_usage_nobody_asked_for(start_gateway, wire):
    frames = wire.answer("Hel", "lo")
    gateway = await start_gateway(wire.stream(frames))
    response = await gateway.chat(stream=True)
    assert response.content == b"".join(frames).replace(wire.usage(), b"")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert gateway.worker.asked[0].json()["stream_options"] == {"include_usage": True}


async def test_usage_is_passed_on_to_who_asked(start_gateway, wire):
    frames = wire.answer("Hel", "lo")
    gateway = await start_gateway(wire.stream(frames))
    response = await gateway.chat(stream=True, stream_options={"include_usage": True})
    assert response.content == b"".join(frames)


async def test_text_that_looks_like_protocol_is_only_text(start_gateway, wire):
    texts = [
        '"choices":[]',
        '"usage":{',
        "data: [DONE]\n\n",
        'data: {"error": 1}',
        '"error"',
        "[]",
        "\r\n\r\n",
        "\u2028",
    ]
    frames = wire.answer(*texts)
    gateway = await start_gateway(wire.stream(frames))
    response = await gateway.chat(stream=True)
    assert response.content == b"".join(frames).replace(wire.usage(), b"")


async def test_frames_may_be_cut_anywhere(start_gateway, wire):
    whole = b"".join(wire.answer("a", "b"))

    async def script(asked, writer):
        writer.write(wire.SSE_HEAD)
        step = int(asked.json()["seed"])
        for at in range(0, len(whole), step):
            writer.write(wire.chunk(whole[at : at + step]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    gateway = await start_gateway(script)
    for step in (1, 7, 100):
        response = await gateway.chat(stream=True, seed=step)
        assert response.content == whole.replace(wire.usage(), b"")


async def test_crlf_and_comments_pass(start_gateway, wire):
    frames = [b": hello\r\n\r\n", *(frame.replace(b"\n", b"\r\n") for frame in wire.answer("a"))]
    gateway = await start_gateway(wire.stream(frames))
    response = await gateway.chat(stream=True, stream_options={"include_usage": True})
    assert response.content == b"".join(frames)


async def test_a_huge_frame_passes(start_gateway, wire):
    frames = wire.answer("x" * 3_000_000, "b")
    gateway = await start_gateway(wire.stream(frames))
    response = await gateway.chat(stream=True)
    assert response.content == b"".join(frames).replace(wire.usage(), b"")


@pytest.mark.parametrize("position", range(0, 420, 7))
async def test_a_cut_stream_ends_with_an_error_frame_and_without_done(start_gateway, wire, position):
    """Wherever the worker dies, what was whole is there, the partial tail is not, and nothing says success."""
    frames = wire.answer("Hel", "lo")
    whole = b"".join(frames)
    position = min(position, len(whole) - len(wire.DONE) - 1)
    gateway = await start_gateway(wire.stream([whole[:position]] if position else [], end=False))
    response = await gateway.chat(stream=True)
    arrived = whole[: whole.rfind(b"\n\n", 0, position) + 2] if b"\n\n" in whole[:position] else b""
    if not arrived:
        assert (response.status_code, response.json()["error"]["code"]) == (500, "worker_crashed")
        return
    expected = arrived.replace(wire.usage(), b"")
    assert response.content.startswith(expected)
    error = error_in(response.content[len(expected) :])
    assert (error["type"], error["code"], error["param"]) == ("server_error", "worker_crashed", None)
    assert b"[DONE]" not in response.content


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lambda wire: wire.answer("a", "b")[:-1], id="no DONE"),
        pytest.param(lambda wire: [wire.frame("a"), wire.DONE], id="DONE without finish_reason"),
        pytest.param(lambda wire: [wire.frame('"finish_reason":"stop"'), wire.usage(), wire.DONE], id="only said so"),
    ],
)
async def test_a_stream_that_ends_wrongly_is_no_success(start_gateway, wire, frames):
    gateway = await start_gateway(wire.stream(frames(wire)))
    response = await gateway.chat(stream=True)
    assert b"[DONE]" not in response.content
    assert error_in(response.content.split(b"\n\n")[-2])["code"] == "worker_crashed"


async def test_what_follows_done_is_dropped(start_gateway, wire):
    frames = wire.answer("a")
    gateway = await start_gateway(wire.stream([*frames, wire.frame("late"), wire.DONE]))
    response = await gateway.chat(stream=True)
    assert response.content == b"".join(frames).replace(wire.usage(), b"")


async def test_an_error_frame_of_the_engine_ends_the_stream_in_openai_words(start_gateway, wire):
    bad = b'data: {"error":{"code":500,"message":"decode failed","type":"server_error"}}\n\n'
    gateway = await start_gateway(wire.stream([wire.frame("a"), bad, wire.DONE]))
    response = await gateway.chat(stream=True)
    first, second, rest = response.content.split(b"\n\n")
    assert (first + b"\n\n", rest) == (wire.frame("a"), b"")
    assert error_in(second) == {
        "message": "decode failed",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }


async def test_an_error_as_the_first_frame_is_a_real_http_error(start_gateway, wire):
    bad = b'data: {"error":{"code":400,"message":"too long","type":"exceed_context_size_error"}}\n\n'
    codes = {"exceed_context_size_error": "context_length_exceeded"}
    gateway = await start_gateway(wire.stream([bad]), options={"error_codes": codes})
    response = await gateway.chat(stream=True)
    assert response.status_code == 400
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["error"] == {
        "message": "too long" + WAY_OUT["context_length_exceeded"],
        "type": "invalid_request_error",
        "param": None,
        "code": "context_length_exceeded",
    }


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, {"code": 400, "message": "m", "type": "exceed_context_size_error"}, (400, "context_length_exceeded")),
        (400, {"code": 400, "message": "m", "type": "invalid_request_error"}, (400, "invalid_request")),
        (400, {"code": "context_length_exceeded", "message": "m"}, (400, "context_length_exceeded")),
        (401, {"code": "invalid_api_key", "message": "m"}, (500, "internal_error")),
        (404, {"message": "m"}, (404, "not_found")),
        (418, {"message": "m"}, (400, "invalid_request")),
        (500, {"message": "m", "code": 500}, (500, "internal_error")),
        (501, {"message": "m", "type": "not_supported_error"}, (500, "internal_error")),
        (503, {"message": "m"}, (503, "unavailable")),
        (400, {"message": "m", "code": "made_up"}, (400, "made_up")),
        (500, {"message": "m", "code": "bad code\n"}, (500, "internal_error")),
    ],
)
async def test_error_bodies_of_engines_become_openais(start_gateway, wire, status, said, expected):
    codes = {"exceed_context_size_error": "context_length_exceeded"}
    script = wire.bytes(wire.json({"error": said}, status=status))
    gateway = await start_gateway(script, options={"error_codes": codes})
    response = await gateway.chat()
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["message"]) == (*expected, f"m{WAY_OUT.get(expected[1], '')}")
    assert set(error) == {"message", "type", "param", "code"}
    assert ("retry-after" in response.headers) == (expected[0] == 503)


async def test_an_error_body_that_is_none_still_gets_a_sentence(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(b"HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops"))
    response = await gateway.chat()
    assert response.json()["error"]["message"] == "the engine answered with status 500 and gave no reason"


async def test_silence_is_a_timeout_before_and_within_a_stream(start_gateway, wire):
    async def script(asked, writer):
        if asked.json()["seed"]:
            writer.write(wire.SSE_HEAD + wire.chunk(wire.frame("a") + b"data: par"))
        await asyncio.sleep(60)

    gateway = await start_gateway(script, options={"silence_s": 0.05})
    before = await gateway.chat(stream=True, seed=0)
    assert (before.status_code, before.json()["error"]["code"]) == (504, "worker_timeout")
    within = await gateway.chat(stream=True, seed=1)
    assert within.content.startswith(wire.frame("a"))
    assert error_in(within.content[len(wire.frame("a")) :])["code"] == "worker_timeout"


async def test_nobody_listening_is_a_crash(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(b""))
    gateway.worker.port = 1
    response = await gateway.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (500, WorkerCrashedError.code)
    assert "x-should-retry" not in response.headers


async def test_a_silent_stream_gets_its_head_and_then_pings(start_gateway, wire):
    release = asyncio.Event()

    async def script(_, writer):
        writer.write(wire.SSE_HEAD)
        await release.wait()
        writer.write(b"".join(map(wire.chunk, wire.answer("a"))) + b"0\r\n\r\n")

    gateway = await start_gateway(script, pace=Pace(hold_s=0.02, ping_s=0.02))
    body = {"model": "org/model", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with gateway.http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200
        pieces = response.aiter_raw()
        assert await anext(pieces) == b": ping\n\n"
        release.set()
        rest = b"".join([piece async for piece in pieces])
    assert rest.replace(b": ping\n\n", b"") == b"".join(wire.answer("a")).replace(wire.usage(), b"")


async def test_no_ping_while_frames_come(start_gateway, wire):
    async def script(_, writer):
        writer.write(wire.SSE_HEAD)
        for frame in wire.answer(*"abcdefgh"):
            writer.write(wire.chunk(frame))
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")

    gateway = await start_gateway(script, pace=Pace(hold_s=0.05, ping_s=0.2))
    assert b"ping" not in (await gateway.chat(stream=True)).content


@pytest.mark.parametrize("when", ["queued for a load", "prefill", "mid-stream", "not streamed"])
async def test_a_client_that_leaves_ends_the_work(start_gateway, wire, until, when):
    async def script(_, writer):
        if when == "mid-stream":
            writer.write(wire.SSE_HEAD + wire.chunk(wire.frame("a")))
        await asyncio.sleep(60)

    gateway = await start_gateway(script)
    if when == "queued for a load":
        gateway.supervisor.loaded, gateway.supervisor.loading = None, asyncio.Event()
    request = gateway.chat(stream=when != "not streamed")
    task = asyncio.create_task(request)
    if when == "queued for a load":
        await until(lambda: gateway.supervisor.held == 1)
    else:
        await until(lambda: gateway.worker.asked)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: gateway.in_flight.count == 0)
    assert (gateway.supervisor.leases, gateway.supervisor.held) == (0, 0)
    if gateway.worker.asked:
        await asyncio.wait_for(gateway.worker.gone.wait(), 5)


async def test_a_slow_reader_slows_only_its_own_stream(start_gateway, wire, until):
    sent = 0

    async def script(asked, writer):
        nonlocal sent
        writer.write(wire.SSE_HEAD)
        if asked.json()["seed"]:
            while True:
                writer.write(wire.chunk(wire.frame("x" * 1000) * 64))
                await writer.drain()
                sent += 64_000
        writer.write(b"".join(map(wire.chunk, wire.answer("a"))) + b"0\r\n\r\n")

    gateway = await start_gateway(script, options={"silence_s": 0.3})
    body = json.dumps({"model": "org/model", "messages": [{"role": "user", "content": ""}], "stream": True, "seed": 1})
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    seen = -1
    while sent != seen:
        seen = sent
        await asyncio.sleep(0.4)  # longer than the worker may be silent: waiting for a client is no silence
    assert sent < 64 * 2**20
    response = await gateway.chat(stream=True, seed=0)
    assert response.content.endswith(wire.DONE)
    writer.close()
    await until(lambda: gateway.in_flight.count == 0)


async def test_shutdown_lets_streams_end_and_tells_those_that_can_not(start_gateway, wire, until):
    release = asyncio.Event()

    async def script(asked, writer):
        if asked.json()["seed"] == 0:
            await asyncio.sleep(60)
        writer.write(wire.SSE_HEAD + wire.chunk(wire.frame("a") + b"data: partial"))
        await release.wait() if asked.json()["seed"] == 1 else await asyncio.sleep(60)
        rest = b"".join(wire.answer())
        writer.write(wire.chunk(b"\n\n" + rest) + b"0\r\n\r\n")

    gateway = await start_gateway(script)
    ending, stuck, unanswered = (asyncio.create_task(gateway.chat(stream=True, seed=seed)) for seed in (1, 2, 0))
    await until(lambda: len(gateway.worker.asked) == 3)
    drain = asyncio.create_task(gateway.in_flight.drain(0.3))
    await until(lambda: gateway.in_flight.draining)
    refused = await gateway.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_shutdown")
    assert (await gateway.http.get("/readyz")).status_code == 503
    assert (await gateway.http.get("/livez")).status_code == 200
    release.set()
    assert (await ending).content.endswith(wire.DONE)
    cut = (await stuck).content
    assert cut.startswith(wire.frame("a"))
    error = error_in(cut[len(wire.frame("a")) :])
    assert (error["code"], error["type"]) == ("server_shutdown", "server_error")
    assert ((await unanswered).status_code, (await unanswered).json()["error"]["code"]) == (503, "server_shutdown")
    await drain
    assert gateway.supervisor.leases == 0


async def test_frames_are_rewritten_for_an_engine_that_can_not_echo_the_name(start_gateway, wire):
    frames = wire.answer("a")
    gateway = await start_gateway(wire.stream(frames), options={"rewrites_frames": True})
    response = await gateway.chat(stream=True)
    models = [json.loads(line[6:])["model"] for line in response.text.splitlines() if line.startswith("data: {")]
    assert models == ["org/model", "org/model"]
    assert response.content.endswith(wire.DONE)


async def test_bodies_are_rewritten_for_an_engine_that_can_not_echo_the_name(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({"model": "x"})), options={"rewrites_frames": True})
    assert (await gateway.chat()).json() == {"model": "org/model"}


async def test_performance_is_measured_on_the_way(start_gateway, wire):
    async def script(_, writer):
        writer.write(wire.SSE_HEAD + wire.chunk(wire.frame("a")))
        await asyncio.sleep(0.05)
        writer.write(b"".join(map(wire.chunk, wire.answer("b"))) + b"0\r\n\r\n")

    gateway = await start_gateway(script)
    nothing = (await gateway.http.get("/active_model")).json()["performance"]
    assert nothing == {"requests": 0, "tokens_per_second": None, "time_to_first_token_s": None}
    for _ in range(3):
        await gateway.chat(stream=True)
    measured = (await gateway.http.get("/active_model")).json()["performance"]
    assert measured["requests"] == 3
    assert 0 < measured["tokens_per_second"] < 4 / 0.05
    assert 0 < measured["time_to_first_token_s"] < 0.05
