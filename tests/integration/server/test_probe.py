"""The one token that a model has to give before it counts as loaded."""

from __future__ import annotations

import json

import pytest

from uml_core.errors import ModelLoadError, WorkerCrashedError
from uml_core.tasks import chat, completion
from uml_core.tasks.probe import probe

TEXT = {"text": "2", "finish_reason": "length"}
MESSAGE = {"message": {"role": "assistant", "content": "2"}, "finish_reason": "length"}


def answer(choice, **rest) -> dict:
    return {"choices": [choice], **rest}


def answering(wire, *answers):
    """A script that gives one answer after the other: a body, or a status with a reason."""
    left = list(answers)

    async def script(_, writer):
        said = left.pop(0)
        if isinstance(said, tuple):
            status, reason = said
            writer.write(wire.json({"error": {"message": reason}}, status=status))
        else:
            writer.write(wire.json(said))

    return script


async def asked_for(worker):
    return [(asked.path, asked.json()) for asked in worker.asked]


def test_both_tasks_have_it():
    assert chat.TASK.probe is completion.TASK.probe is probe
    assert chat.TASK.stateless
    assert completion.TASK.stateless


@pytest.mark.parametrize(
    "good",
    [
        answer(TEXT),
        answer({**TEXT, "logprobs": None}),
        answer({**TEXT, "logprobs": {"tokens": ["2"], "token_logprobs": [-0.5], "top_logprobs": [{"2": -0.5}]}}),
        answer({**TEXT, "logprobs": {"content": [{"token": "2", "logprob": 0}]}}),
        answer({"text": "", "finish_reason": "stop"}, usage={"completion_tokens": 1}),
    ],
)
async def test_a_token(start_worker, wire, good):
    worker = await start_worker(answering(wire, good))
    client = worker.client()
    await probe(client)
    body = {"model": "org/model", "prompt": "1", "max_tokens": 1, "temperature": 0, "logprobs": 1}
    assert await asked_for(worker) == [("/v1/completions", body)]
    assert client.active_streams == 0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({}, "gives no token"),
        ([], "gives no token"),
        ({"choices": []}, "gives no token"),
        (answer({"text": ""}), "gives no token"),
        (answer({"text": ""}, usage={"completion_tokens": 0}), "gives no token"),
        (answer({**TEXT, "logprobs": {"token_logprobs": [None]}}), "no number"),
        (answer({**TEXT, "logprobs": {"token_logprobs": [float("nan")]}}), "no number"),
        (answer({**TEXT, "logprobs": {"token_logprobs": [float("-inf")]}}), "no number"),
        (answer({**TEXT, "logprobs": {"token_logprobs": ["1"]}}), "no number"),
        (answer({**TEXT, "logprobs": {"content": [{"token": "2"}]}}), "no number"),
        (answer({**TEXT, "logprobs": {"content": [{"logprob": float("nan")}]}}), "no number"),
        (answer({**TEXT, "logprobs": {"content": [None]}}), "no number"),
        ((500, "decode failed"), "status 500: decode failed"),
        ((503, ""), "status 503: no reason"),
    ],
)
async def test_what_is_none(start_worker, wire, bad, said):
    worker = await start_worker(answering(wire, bad, bad))
    with pytest.raises(ModelLoadError, match=said) as raised:
        await probe(worker.client())
    assert raised.value.message.startswith("model 'org/model' is loaded, but")


async def test_a_model_that_has_nothing_to_say_to_a_bare_prompt_is_asked_in_a_chat(start_worker, wire):
    nothing = answer({"text": "", "finish_reason": "stop"}, usage={"completion_tokens": 0})
    worker = await start_worker(answering(wire, nothing, answer(MESSAGE)))
    await probe(worker.client())
    assert [path for path, _ in await asked_for(worker)] == ["/v1/completions", "/v1/chat/completions"]
    worker = await start_worker(answering(wire, nothing, (400, "it has no chat template"), (400, "none")))
    with pytest.raises(ModelLoadError, match="gives no token"):
        await probe(worker.client())


async def test_what_is_no_json(start_worker, wire):
    worker = await start_worker(wire.bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
    with pytest.raises(ModelLoadError, match="gives no token"):
        await probe(worker.client())


async def test_an_engine_that_knows_no_logprobs_is_asked_without(start_worker, wire):
    worker = await start_worker(answering(wire, (400, "logprobs: not supported"), answer(TEXT)))
    await probe(worker.client())
    first, second = await asked_for(worker)
    assert (first[0], first[1].pop("logprobs")) == ("/v1/completions", 1)
    assert second == first


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_an_engine_that_only_chats_is_asked_so(start_worker, wire, status):
    worker = await start_worker(answering(wire, (status, "no such path"), (422, "logprobs"), answer(MESSAGE)))
    await probe(worker.client())
    _, chatted, again = await asked_for(worker)
    assert chatted == ("/v1/chat/completions", {**again[1], "logprobs": True})
    assert again[1]["messages"] == [{"role": "user", "content": "Say yes."}]


async def test_a_chat_is_judged_too(start_worker, wire):
    logprobs = {"content": [{"token": "2", "logprob": None}]}
    worker = await start_worker(answering(wire, (404, "no"), answer({**MESSAGE, "logprobs": logprobs})))
    with pytest.raises(ModelLoadError, match="no number"):
        await probe(worker.client())


async def test_who_refuses_twice_is_not_asked_again(start_worker, wire):
    worker = await start_worker(answering(wire, (400, "a"), (400, "b")))
    with pytest.raises(ModelLoadError, match="status 400: b"):
        await probe(worker.client())


async def test_a_worker_that_dies_of_it(start_worker, wire):
    worker = await start_worker(wire.bytes(b""))
    with pytest.raises(WorkerCrashedError):
        await probe(worker.client())


async def test_a_reason_is_cut(start_worker, wire):
    worker = await start_worker(answering(wire, (500, "x" * 5000)))
    with pytest.raises(ModelLoadError) as raised:
        await probe(worker.client())
    assert len(json.dumps(raised.value.message)) < 700
