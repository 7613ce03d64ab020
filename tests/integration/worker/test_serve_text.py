"""The text layer in a real worker: many clients at once, some of which leave, and each gets what it would get alone."""

import concurrent.futures
import json

import pytest

pytest.importorskip("tokenizers")

from uml_core.testing.dice import Dice, dice_tokenizer

COMMON = "the quick brown fox jumps over the lazy dog and then it says that "
PROMPTS = [f"{COMMON * (number % 3)}number {number}" for number in range(24)]
TOKENS = 60


@pytest.fixture(scope="module")
def dice():
    return Dice(dice_tokenizer())


@pytest.fixture
def worker(start):
    return start(engine="dice_engine.py", slots=4, batch=32).wait_ready()


def body(prompt, **more):
    return {"model": "org/tiny", "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, **more}


def streamed(worker, prompt, *, leaves_after=None):
    """The text of one stream; None for a client that hung up."""
    text, events = "", 0
    with worker.http.stream("POST", "/v1/completions", json=body(prompt, stream=True)) as response:
        for line in response.iter_lines():
            if events == leaves_after:
                return None
            if line.startswith("data: {"):
                events += 1
                text += json.loads(line.removeprefix("data: "))["choices"][0]["text"]
    assert line == "" or line == "data: [DONE]"
    return text


def test_many_clients_some_of_which_leave(worker, dice):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        leaves = [number if number % 4 == 1 else None for number in range(len(PROMPTS))]
        asked = [
            pool.submit(streamed, worker, prompt, leaves_after=at) for prompt, at in zip(PROMPTS, leaves, strict=True)
        ]
        told = [one.result(60) for one in asked]
    for prompt, text in zip(PROMPTS, told, strict=True):
        assert text is None or text == dice.says(prompt, TOKENS)
    assert sum(text is None for text in told) <= len(PROMPTS) // 4
    assert streamed(worker, "and then") == dice.says("and then", TOKENS)


def test_n_answers_stop_texts_and_cached_tokens(worker, dice):
    long = COMMON * 4
    whole = dice.says(long, TOKENS)
    assert len(whole) > 8
    answer = worker.http.post("/v1/completions", json=body(long, n=4, stop=whole[4:8])).json()
    assert [choice["text"] for choice in answer["choices"]] == [whole[: whole.index(whole[4:8])]] * 4
    again = worker.http.post("/v1/completions", json=body(long)).json()
    assert again["choices"][0]["text"] == whole
    usage = again["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1


def test_several_prompts_are_answered_in_one_body_in_their_order(worker, dice):
    prompts = ["the fox", "number 5", COMMON]
    wanted = [dice.says(prompt, TOKENS) for prompt in prompts for _ in range(2)]
    answer = worker.http.post("/v1/completions", json=body(prompts, n=2)).json()
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == list(enumerate(wanted))
    alone = [worker.http.post("/v1/completions", json=body(prompt)).json()["usage"] for prompt in prompts]
    assert answer["usage"]["prompt_tokens"] == sum(usage["prompt_tokens"] for usage in alone)
    assert answer["usage"]["completion_tokens"] == sum(2 * usage["completion_tokens"] for usage in alone)

    asked = body(prompts, n=2, stream=True, stream_options={"include_usage": True})
    texts, usage = dict.fromkeys(range(6), ""), None
    with worker.http.stream("POST", "/v1/completions", json=asked) as response:
        for line in response.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {"choices": []}
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                texts[choice["index"]] += choice["text"]
    assert list(texts.values()) == wanted
    assert (usage["prompt_tokens"], usage["total_tokens"]) == tuple(
        answer["usage"][name] for name in ("prompt_tokens", "total_tokens")
    )


def test_one_prompt_that_can_not_be_answered_is_an_error_for_all(worker):
    answer = worker.http.post("/v1/completions", json=body(["x", COMMON * 2000]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_a_reader_that_is_behind_holds_up_nobody(worker, dice):
    with worker.http.stream("POST", "/v1/completions", json=body("x", max_tokens=1500, stream=True)) as slow:
        lines = slow.iter_lines()
        next(lines)
        for prompt in PROMPTS[:4]:
            assert streamed(worker, prompt) == dice.says(prompt, TOKENS)
        rest = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert rest[-1]["choices"][0]["finish_reason"] in {"stop", "length"}


def test_a_schema_that_can_not_be_is_refused_before_the_stream(worker):
    answer = worker.http.post("/v1/completions", json=body("x", stream=True, json_schema={"type": 7}))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "json_schema"
