"""SmolLM2 through each backend, asked by the official client."""

import threading
import time

import httpx
import openai
import pytest

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"
COUNT = [{"role": "user", "content": "Count from 1 to 10."}]
COUNTED = "1. 1\n2. 2\n3. 3\n4. 4\n5. 5"
STORY = [{"role": "user", "content": "Write a long story about a robot who learns to paint."}]


def test_chat(loaded):
    answer = loaded.openai.chat.completions.create(model=MODEL, messages=COUNT, temperature=0, max_tokens=24)
    assert answer.choices[0].message.content.startswith(COUNTED)
    assert answer.choices[0].finish_reason == "length"
    assert answer.model == MODEL
    assert answer.usage.completion_tokens == 24
    assert answer.usage.prompt_tokens > 0


def test_chat_in_one_word(loaded):
    ask = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    answer = loaded.openai.chat.completions.create(model=MODEL, messages=ask, temperature=0, max_tokens=16)
    assert "Paris" in answer.choices[0].message.content


@pytest.mark.parametrize("usage", [False, True])
def test_streaming(loaded, usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(
        loaded.openai.chat.completions.create(
            model=MODEL, messages=COUNT, temperature=0, max_tokens=24, stream=True, **options
        )
    )
    told = [chunk for chunk in chunks if chunk.choices]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in told)
    assert text.startswith(COUNTED)
    assert [chunk.choices[0].finish_reason for chunk in told if chunk.choices[0].finish_reason] == ["length"]
    assert told[0].choices[0].delta.role == "assistant"
    assert (chunks[-1].usage is not None) == usage
    if usage:
        assert chunks[-1].usage.completion_tokens == 24
    assert len(told) > 15, "it came token by token"


def test_completion(loaded):
    answer = loaded.openai.completions.create(
        model=MODEL, prompt="The capital of France is", temperature=0, max_tokens=8
    )
    assert "Paris" in answer.choices[0].text
    assert answer.object == "text_completion"


def test_completion_streaming(loaded):
    stream = loaded.openai.completions.create(
        model=MODEL, prompt="The capital of France is", temperature=0, max_tokens=8, stream=True
    )
    assert "Paris" in "".join(chunk.choices[0].text for chunk in stream if chunk.choices)


def test_stop_and_seed(loaded):
    ask = {"model": MODEL, "messages": COUNT, "max_tokens": 24, "temperature": 0, "stop": ["3."], "seed": 7}
    answer = loaded.openai.chat.completions.create(**ask)
    assert "3." not in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_error_classes(loaded):
    client = loaded.openai
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nonesuch", messages=COUNT)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=MODEL, messages=COUNT, temperature=99)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 3000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as streamed:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 3000}], stream=True)
    assert streamed.value.code == "context_length_exceeded"
    assert loaded.active()["model"] == MODEL, "the loaded model is untouched"


def test_cancel_stops_the_engine(loaded):
    """A client that leaves mid-stream: the lease is back soon, and the next request isn't kept waiting."""
    stream = loaded.openai.chat.completions.create(model=MODEL, messages=STORY, max_tokens=1500, stream=True)
    for _, _chunk in zip(range(3), stream, strict=False):
        pass
    assert loaded.active()["leases"] == 1
    stream.close()
    loaded.until(lambda: loaded.active()["leases"] == 0, limit_s=5)
    before = time.monotonic()
    loaded.openai.chat.completions.create(model=MODEL, messages=COUNT, max_tokens=4)
    assert time.monotonic() - before < 10, "1500 tokens take longer than that"


def test_two_at_once(loaded):
    texts = []

    def ask():
        answer = loaded.openai.chat.completions.create(model=MODEL, messages=COUNT, temperature=0, max_tokens=16)
        texts.append(answer.choices[0].message.content)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 2
    assert all(text.startswith("1. 1") for text in texts)


def test_what_the_management_says(loaded):
    loaded.openai.completions.create(model=MODEL, prompt="Hello", max_tokens=2)
    active = loaded.active()
    assert active["model"] == MODEL
    assert active["type"] == "text-generation"
    assert active["token_limit"] == 2048
    assert active["performance"]["requests"] > 0
    listed = {row["id"]: row for row in httpx.get(f"{loaded.url}/models").json()["data"]}
    assert listed[MODEL]["status"]["value"] == "loaded"
    assert listed[MODEL]["license"] == "apache-2.0"
    assert [row.id for row in loaded.openai.models.list()] == [MODEL]
