"""An engine that computes several answers at once: through the official client, and on the wire."""

import json
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
def worker(start):
    return start(engine="batch_engine.py").wait_ready()


def test_answers_go_on_together(worker):
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(worker.ask, f"count {number}") for number in (300, 301, 302, 303)]
        texts = [answer.result().choices[0].message.content for answer in asked]
    assert [len(text.split()) for text in texts] == [300, 301, 302, 303]
    order = [line.split()[0] for line in worker.log.splitlines() if line.startswith(("begin", "end"))]
    assert order == ["begin"] * 4 + ["end"] * 4


def test_n_answers_with_seeds_of_their_own(worker):
    def roll(**more):
        return [choice.message.content for choice in worker.ask("roll", **more).choices]

    three = roll(n=3, seed=5)
    assert len(set(three)) == 3
    assert roll(seed=6) == three[1:2]
    assert len(set(roll(n=3))) == 3


def test_n_answers_cost_their_prompt_once(worker):
    usage = worker.ask("count 5", n=3).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (4, 15)
    assert usage.prompt_tokens_details.cached_tokens == 0


def test_n_answers_in_one_stream(worker):
    chunks = list(worker.ask("count 3", n=2, stream=True, stream_options={"include_usage": True}))
    *chunks, last = chunks
    assert last.choices == []
    assert last.usage.completion_tokens == 6
    for index in (0, 1):
        mine = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        assert [choice.delta.role for choice in mine] == ["assistant", *[None] * 4]
        assert "".join(choice.delta.content or "" for choice in mine) == "0 1 2 "
        assert [choice.finish_reason for choice in mine] == [None] * 4 + ["stop"]


def test_n_answers_of_an_engine_that_gives_one_at_a_time(start):
    worker = start().wait_ready()
    answer = worker.ask("count 3", n=3, max_tokens=2)
    assert [choice.message.content for choice in answer.choices] == ["0 1 "] * 3
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 6)


def test_one_answer_that_fails_takes_the_others_of_its_request_along(start):
    worker = start().wait_ready()
    with pytest.raises(openai.InternalServerError, match="the engine's own words"):
        worker.ask("fail 2", n=3)
    assert worker.log.count("begin fail") == 1


def test_a_step_that_fails_is_told_and_the_worker_goes_on(worker):
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(worker.post, "count 5000")
        worker.until(lambda: "begin count" in worker.log)
        with pytest.raises(openai.InternalServerError, match="the step's own words"):
            worker.ask("break_down")
        assert other.result().status_code == 500
    assert worker.ask("count 1").choices[0].message.content == "0 "


def test_who_leaves_makes_room(worker):
    with worker.streaming("count 100000") as response:
        next(response.iter_lines())
    worker.until(lambda: "end count 100000" in worker.log)
    assert worker.post("count 1").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_and_thoughts(worker, stream):
    asked = {"tools": [TOOL], "stream": stream}
    if not stream:
        answer = worker.ask('call look {"at":1}', **asked)
        message, reason = answer.choices[0].message, answer.choices[0].finish_reason
        assert answer.usage.completion_tokens_details.reasoning_tokens == 2
    else:
        with worker.openai.chat.completions.stream(**worker.body('call look {"at":1}', tools=[TOOL])) as events:
            final = events.get_final_completion().choices[0]
        message, reason = final.message, final.finish_reason
    assert reason == "tool_calls"
    assert not message.content
    assert message.reasoning_content == "a tool"
    (call,) = message.tool_calls
    assert (call.id, call.type, call.function.name) == ("call_1", "function", "look")
    assert json.loads(call.function.arguments) == {"at": 1}


@pytest.mark.parametrize(("asked", "likely"), [({}, 0), ({"top_logprobs": 2}, 2)])
def test_logprobs(worker, asked, likely):
    whole = worker.ask("spell abc", logprobs=True, **asked).choices[0].logprobs.content
    chunks = list(worker.ask("spell abc", logprobs=True, stream=True, **asked))
    told = [chunk.choices[0].logprobs.content for chunk in chunks if chunk.choices[0].logprobs]
    assert [token.token for token in whole] == list("abc")
    assert [(token.logprob, token.bytes, len(token.top_logprobs)) for token in whole[:1]] == [(-0.5, [97], likely)]
    assert [token for tokens in told for token in tokens] == whole


def test_an_engine_that_cuts_by_itself_is_not_cut(worker):
    assert worker.ask("count 5", max_tokens=2, stop="3").choices[0].message.content == "0 1 2 3 4 "


def test_a_request_is_refused_while_it_is_prepared(worker):
    with pytest.raises(openai.BadRequestError, match="not that") as raised:
        worker.ask("refuse", stream=True)
    assert raised.value.param == "messages"
    assert "begin" not in worker.log


def test_a_preparation_that_fails_is_told_and_logged(worker):
    with pytest.raises(openai.InternalServerError, match="LookupError: over its own feet"):
        worker.ask("stumble")
    assert 'raise LookupError("over its own feet")' in worker.log


def test_who_leaves_while_it_is_prepared_never_reaches_the_engine(worker):
    with worker.leaving("ponder"):
        worker.until(lambda: "prepare ponder" in worker.log)
        assert worker.ask("count 1").choices[0].message.content == "0 "
    worker.until(lambda: "noticed" in worker.log)
    assert worker.ask("count 1").choices[0].message.content == "0 "
    assert "begin ponder" not in worker.log


def test_term_does_not_wait_for_a_preparation(worker):
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(worker.post, "sleep")
        worker.until(lambda: "prepare sleep" in worker.log)
        assert worker.terminate() == 0
        assert stuck.result().status_code == 503
    assert worker.log.splitlines()[-1] == "engine closed"


def test_an_answer_that_the_engine_makes_whole(worker):
    answer = worker.http.post("/v1/embeddings", json={"input": ["a", "b"]})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"object": "list", "of": ["a", "b"]}


def test_a_whole_answer_that_fails(worker):
    assert worker.http.post("/v1/embeddings", json={"input": "fail"}).json()["error"]["message"] == (
        "the engine failed with RuntimeError: no vector"
    )
    assert worker.http.post("/v1/embeddings", json={"input": 3}).json()["error"]["param"] == "input"
    assert worker.http.post("/v1/rerank", json={}).json()["error"]["code"] == "task_not_supported"
