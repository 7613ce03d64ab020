"""What clients get: through the official client, and on the wire."""

import json

import openai
import pytest


def frames(response):
    return [line.removeprefix("data: ") for line in response.read().decode().split("\n\n") if line]


def test_chat(worker):
    answer = worker.ask("say Good| day")
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "org/tiny"
    assert answer.choices[0].message.content == "Good day"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (0, 2, 2)


def test_chat_stream(worker):
    chunks = list(worker.ask("count 3", stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-1]] == ["0 ", "1 ", "2 "]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, None, "stop"]
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, "org/tiny")
    }


def test_usage_chunk_only_when_asked(worker):
    *chunks, last = worker.ask("count 3", stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (3, 3)
    assert all(chunk.choices for chunk in chunks)


def test_wire_format(worker):
    with worker.streaming("say a") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        *events, done = frames(response)
    assert done == "[DONE]"
    assert [json.loads(event)["object"] for event in events] == ["chat.completion.chunk"] * 3


def test_text_can_not_break_out_of_its_event(worker):
    evil = 'x\n\ndata: [DONE]\n\n\r\u2028"}'
    with worker.streaming(f"say {evil}") as response:
        events = frames(response)
    assert events.count("[DONE]") == 1
    assert json.loads(events[1])["choices"][0]["delta"]["content"] == evil


def test_bytes_never_split_a_character(worker):
    text = "Grüße, 世界 🎈"
    assert worker.ask(f"spell {text}").choices[0].message.content == text
    chunks = [chunk.choices[0].delta.content or "" for chunk in worker.ask(f"spell {text}", stream=True)]
    assert "".join(chunks) == text


def test_the_engines_own_counts_and_reason_win(worker):
    answer = worker.ask("report done")
    assert answer.choices[0].message.content == "done"
    assert answer.choices[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 11)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_ends_an_endless_answer(worker, field):
    answer = worker.ask("endless", **{field: 4})
    assert answer.choices[0].message.content == "again " * 4
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 4


def test_an_answer_of_just_max_tokens_has_stopped_by_itself(worker):
    assert worker.ask("count 3", max_tokens=3).choices[0].finish_reason == "stop"


def test_stop_is_cut_over_pieces(worker):
    answer = worker.ask("say one, S|T|OP and more", stop=["nothing", "STOP"])
    assert answer.choices[0].message.content == "one, "
    assert answer.choices[0].finish_reason == "stop"


def test_what_looked_like_a_stop_is_sent_after_all(worker):
    assert worker.ask("say one ST|ART", stop="STOP").choices[0].message.content == "one START"


def test_completion(start):
    worker = start(completes=True).wait_ready()
    answer = worker.openai.completions.create(model="org/tiny", prompt="Once")
    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion",
        "Once!",
        "stop",
    )
    chunks = list(worker.openai.completions.create(model="org/tiny", prompt="Once", stream=True))
    assert [chunk.choices[0].text for chunk in chunks] == ["Once", "!", ""]
    refused = worker.post("say hello")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "task_not_supported"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_text_keeps_its_status(worker, stream):
    with pytest.raises(openai.BadRequestError, match="9000 tokens") as raised:
        worker.ask("refuse", stream=stream)
    assert raised.value.code == "context_length_exceeded"


def test_an_engine_that_fails_is_500_and_goes_on(worker):
    with pytest.raises(openai.InternalServerError, match="the engine's own words"):
        worker.ask("fail 0")
    assert worker.ask("say hello").choices[0].message.content == "hello"
    assert "RuntimeError: the engine's own words" in worker.log


def test_an_engine_that_fails_mid_stream_is_an_error_frame_without_done(worker):
    got = []
    with pytest.raises(openai.APIError, match="the engine's own words"):
        got.extend(worker.ask("fail 2", stream=True))  # what came before the error stays
    assert [chunk.choices[0].delta.content for chunk in got] == ["", "fine ", "fine "]
    with worker.streaming("fail 2") as response:
        *_, last = frames(response)
    assert last.startswith('{"error":{"message":"the engine failed with RuntimeError')


BAD = {
    "no JSON": b"{",
    "no object": b"[]",
    "deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe{",
    "no messages": b"{}",
    "messages is text": b'{"messages": "hi"}',
    "a message is text": b'{"messages": ["hi"]}',
    "content is a number": b'{"messages": [{"role": "user", "content": 1}]}',
    "an image": b'{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}',
    "temperature is text": b'{"messages": [{"role": "user", "content": "say x"}], "temperature": "hot"}',
    "temperature is NaN": b'{"messages": [{"role": "user", "content": "say x"}], "temperature": NaN}',
    "no tokens": b'{"messages": [{"role": "user", "content": "say x"}], "max_tokens": 0}',
    "an empty stop": b'{"messages": [{"role": "user", "content": "say x"}], "stop": [""]}',
    "a huge seed": b'{"messages": [{"role": "user", "content": "say x"}], "seed": 99999999999999999999}',
    "stream is text": b'{"messages": [{"role": "user", "content": "say x"}], "stream": "yes"}',
    "no answer": b'{"messages": [{"role": "user", "content": "say x"}], "n": 0}',
    "likely tokens of nothing": b'{"messages": [{"role": "user", "content": "say x"}], "top_logprobs": 2}',
    "how likely": b'{"messages": [{"role": "user", "content": "say x"}], "logprobs": true}',
    "the best of two": b'{"messages": [{"role": "user", "content": "say x"}], "best_of": 2}',
    "n is a list": b'{"messages": [{"role": "user", "content": "say x"}], "n": []}',
    "tools": b'{"messages": [{"role": "user", "content": "say x"}], "tools": [{}]}',
    "a grammar": b'{"messages": [{"role": "user", "content": "say x"}], "grammar": "root ::= x"}',
    "half a character": b'{"messages": [{"role": "user", "content": "say \\ud83d"}]}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_bad_bodies_are_400(worker, body):
    answer = worker.http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_what_the_engine_honours_and_what_says_nothing_pass(worker):
    parts = [{"type": "text", "text": "say "}, {"type": "text", "text": "x"}]
    body = {"messages": [{"role": "user", "content": parts}], "n": 1, "tools": [], "logprobs": False, "top_k": None}
    answer = worker.http.post(
        "/v1/chat/completions", json={**body, "response_format": {"type": "json_object"}, "user": "me"}
    )
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "x"
