"""Embeddings, ranking and classification as a user asks for them, through every backend that has them."""

import contextlib
import math
import time

import httpx
import openai
import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

MINILM = {"llamaserver": "minilm_gguf", "llamacpp": "minilm_gguf", "transformers": "minilm", "onnx": "minilm_onnx"}
JUDGE = {"llamaserver": "judge_gguf", "llamacpp": "judge_gguf", "transformers": "judge", "onnx": "judge_onnx"}
TEXTS = ["A cat sits on the mat.", "A kitten lies on the rug.", "Shares fell on Tuesday."]
DOCUMENTS = ["Cats live in houses", {"text": "Stocks fell on Tuesday"}, "The moon is far away"]


@pytest.fixture(params=MINILM)
def embedder(request, fleet):
    """A gateway with MiniLM."""
    return fleet(request.param, request.getfixturevalue(MINILM[request.param]))


@pytest.fixture(params=JUDGE)
def judging(request, fleet):
    """A gateway with a model that ranks."""
    return fleet(request.param, request.getfixturevalue(JUDGE[request.param]))


def post(gateway, path, **body):
    return httpx.post(f"{gateway.url}/v1/{path}", json={"model": gateway.model, **body}, timeout=100)


def likeness(first, second):
    return sum(one * other for one, other in zip(first, second, strict=True))


def test_the_openai_client(embedder):
    """It asks for base64 by itself, and decodes it."""
    with embedder.openai as client:
        answer = client.embeddings.create(model=embedder.model, input=TEXTS)
    cat, kitten, shares = (entry.embedding for entry in answer.data)
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    assert len(cat) == 384
    assert math.hypot(*cat) == pytest.approx(1, abs=1e-4)
    assert likeness(cat, kitten) > 0.4 > 0.2 > likeness(cat, shares)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 9 + 9 + 7
    assert answer.model == embedder.model


def test_the_forms_of_an_input(embedder):
    def vectors(given, **more):
        said = post(embedder, "embeddings", input=given, **more).json()
        return [entry["embedding"] for entry in said["data"]], said["usage"]["prompt_tokens"]

    (text,), count = vectors("a cat")
    (listed,), _ = vectors(["a cat"])
    (tokens,), counted = vectors([101, 1037, 4937, 102])
    both, twice = vectors([[101, 1037, 4937, 102], [101, 4937, 102]])
    assert (count, counted, twice) == (4, 4, 7)
    assert min(likeness(text, other) for other in (listed, tokens, both[0])) > 1 - 1e-4
    (short,), _ = vectors("a cat", dimensions=64)
    assert len(short) == 64
    assert math.hypot(*short) == pytest.approx(1, abs=1e-4)
    assert likeness(short, text[:64]) == pytest.approx(math.hypot(*text[:64]), abs=1e-4)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({}, "input"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 4096}, "dimensions"),
    ],
)
def test_what_is_refused(embedder, body, param):
    answer = post(embedder, "embeddings", **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(param)


def test_a_text_that_is_too_long(embedder):
    with embedder.openai as client:
        with pytest.raises(openai.BadRequestError) as raised:
            client.embeddings.create(model=embedder.model, input=["short", "word " * 600])
        assert raised.value.code == "context_length_exceeded"
        assert client.embeddings.create(model=embedder.model, input="short").data


def test_a_client_that_leaves_sets_the_engine_free(embedder):
    body = {"model": embedder.model, "input": ["word " * 200] * 2000}
    with contextlib.suppress(httpx.ReadTimeout):
        httpx.post(f"{embedder.url}/v1/embeddings", json=body, timeout=1.0)
    started = time.monotonic()
    assert post(embedder, "embeddings", input="a").status_code == 200
    assert time.monotonic() - started < 60, "2000 texts take minutes"


def test_ranking(judging):
    body = {"query": "Where do cats live?", "documents": DOCUMENTS}
    results = post(judging, "rerank", **body).json()["results"]
    assert sorted(result["index"] for result in results) == [0, 1, 2]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert "document" not in results[0]
    best = post(judging, "rerank", **body, top_n=1, return_documents=True).json()
    assert [result["index"] for result in best["results"]] == [results[0]["index"]]
    texts = [document if isinstance(document, str) else document["text"] for document in DOCUMENTS]
    assert best["results"][0]["document"] == {"text": texts[results[0]["index"]]}
    assert best["usage"]["total_tokens"] > 10


def test_a_model_is_asked_only_for_what_it_is_for(judging):
    for path, body in (("embeddings", {"input": "a"}), ("classify", {"input": "a"}), ("completions", {"prompt": "a"})):
        answer = post(judging, path, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "task_not_supported"), path


@pytest.mark.parametrize(("backend", "model"), [("transformers", "moods"), ("onnx", "moods_onnx")])
def test_classes(request, fleet, backend, model):
    gateway = fleet(backend, request.getfixturevalue(model))
    said = post(gateway, "classify", input=TEXTS).json()
    assert [entry["index"] for entry in said["data"]] == [0, 1, 2]
    for entry in said["data"]:
        assert sum(entry["probs"]) == pytest.approx(1)
        assert entry["label"] == ("glad", "sad", "angry")[entry["probs"].index(max(entry["probs"]))]
        assert entry["num_classes"] == 3
