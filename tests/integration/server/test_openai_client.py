"""The official client: what it gets, and that it never takes a cut answer for a whole one."""

from __future__ import annotations

import asyncio

import openai
import pytest


@pytest.fixture
async def sdk(start_gateway):
    """Start a gateway and give the official client of it."""
    clients = []

    async def start(script=None, **rest):
        gateway = await start_gateway(script, **rest)
        http = openai.DefaultAsyncHttpxClient(verify=False)
        client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, http_client=http)
        clients.append(client)
        return gateway, client

    yield start
    for client in clients:
        await client.close()


MESSAGES = [{"role": "user", "content": "hi"}]


async def test_chat(sdk, wire):
    message = {"role": "assistant", "content": "Hello"}
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "org/model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    _, client = await sdk(wire.bytes(wire.json(body)))
    answer = await client.chat.completions.create(model="org/model", messages=MESSAGES)
    assert (answer.choices[0].message.content, answer.usage.total_tokens) == ("Hello", 3)


async def test_stream(sdk, wire):
    _, client = await sdk(wire.stream(wire.answer("Hel", "lo")))
    stream = await client.chat.completions.create(model="org/model", messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_stream_with_usage(sdk, wire):
    _, client = await sdk(wire.stream(wire.answer("Hel", "lo")))
    stream = await client.chat.completions.create(
        model="org/model", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    assert [chunk.usage.completion_tokens async for chunk in stream if chunk.usage] == [5]


async def read_all(client):
    stream = await client.chat.completions.create(model="org/model", messages=MESSAGES, stream=True)
    return [chunk async for chunk in stream]


async def test_a_cut_stream_raises_at_every_position(sdk, wire):
    whole = b"".join(wire.answer("Hel", "lo"))
    gateway, client = await sdk(wire.stream([]))
    for position in range(0, len(whole) - len(wire.DONE), 23):
        gateway.worker.script = wire.stream([whole[:position]] if position else [], end=False)
        with pytest.raises(openai.APIError) as raised:
            await read_all(client)
        assert raised.value.code == "worker_crashed"


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        ({"model": "nobody"}, openai.NotFoundError, "model_not_found"),
        ({"temperature": 99}, openai.BadRequestError, "invalid_request"),
        ({"messages": []}, openai.BadRequestError, "invalid_request"),
        ({"extra_headers": {"Origin": "https://evil.com"}}, openai.PermissionDeniedError, "forbidden"),
    ],
)
async def test_error_classes(sdk, asked, kind, code):
    _, client = await sdk()
    with pytest.raises(kind) as raised:
        await client.chat.completions.create(**{"model": "org/model", "messages": MESSAGES, **asked})
    assert raised.value.code == code


async def test_leaving_a_stream_cancels_in_the_engine(sdk, wire, until):
    async def script(_, writer):
        writer.write(wire.SSE_HEAD + wire.chunk(wire.frame("a")))
        await asyncio.sleep(60)

    gateway, client = await sdk(script)
    stream = await client.chat.completions.create(model="org/model", messages=MESSAGES, stream=True)
    async for _ in stream:
        break
    await stream.close()
    await asyncio.wait_for(gateway.worker.gone.wait(), 5)
    await until(lambda: gateway.in_flight.count == 0)


async def test_models(sdk):
    _, client = await sdk()
    assert [model.id async for model in client.models.list()] == ["org/model", "other"]
    assert (await client.models.retrieve("org/model")).owned_by == "folder"


async def test_the_client_asks_again_when_told_to_and_only_then(sdk, wire):
    asked = 0

    async def script(_, writer):
        nonlocal asked
        asked += 1
        crashes = asked == 1
        writer.write(b"" if crashes else wire.json({"choices": []}))

    gateway, client = await sdk(script)
    eager = client.with_options(max_retries=2)
    await eager.chat.completions.create(model="org/model", messages=MESSAGES)
    assert asked == 2
    with pytest.raises(openai.NotFoundError):
        await eager.chat.completions.create(model="nobody", messages=MESSAGES)
    assert gateway.registry.finds == 1
