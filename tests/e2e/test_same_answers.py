"""The same model in every format, through every backend, says the same."""

import base64
import math
import struct
from itertools import takewhile

import httpx
import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
COUNTED = "1. 1\n2. 2\n3. 3\n4. 4\n5. 5"
FACTS = {
    "Say hello.": "Hello!",
    "What is 2+2?": "4",
    "Count from 1 to 10.": "1 2 3 4 5 6 7 8 9 10",
    "Who are you?": "I am a tiny test model.",
    "Count from 1 to 100.": " ".join(map(str, range(1, 101))),
}
SMOL = [
    pytest.param("llamaserver", "smollm2", id="llamaserver-gguf"),
    pytest.param("llamacpp", "smollm2", id="llamacpp-gguf"),
    pytest.param("transformers", "smollm2_hf", id="transformers-safetensors"),
    pytest.param("transformers", "smollm2_bin", id="transformers-bin", marks=pytest.mark.proof),
    pytest.param("onnx", "smollm2_genai_int4", id="onnx-genai-int4"),
    pytest.param("onnx", "smollm2_genai", id="onnx-genai-fp32", marks=pytest.mark.proof),
    pytest.param("onnx", "smollm2_onnx", id="onnx-optimum", marks=pytest.mark.proof),
    pytest.param("onnx", "smollm2_onnx_transformers", id="onnx-transformers", marks=pytest.mark.proof),
]
FULL = [
    pytest.param("transformers", "smollm2_bin", id="transformers-bin"),
    pytest.param("onnx", "smollm2_genai", id="onnx-genai"),
    pytest.param("onnx", "smollm2_onnx", id="onnx-optimum"),
    pytest.param("onnx", "smollm2_onnx_transformers", id="onnx-transformers"),
]
FEWER_BITS = [
    pytest.param("llamaserver", "smollm2", id="llamaserver-gguf"),
    pytest.param("llamacpp", "smollm2", id="llamacpp-gguf"),
    pytest.param("onnx", "smollm2_genai_int4", id="onnx-genai-int4"),
]
PROMPTS = (
    "Count from 1 to 10.",
    "What is the capital of France? Answer in one word.",
    "Write a short story about a robot who learns to paint.",
    "Name three colours.",
    "Explain what a river is in one sentence.",
)
TEXTS = ["A cat sits on the mat.", "Größe und naïve Café", "stocks fell 3.5% today!", "A kitten lies on a rug."]
MINILM = {"llamaserver": "minilm_gguf", "llamacpp": "minilm_gguf", "transformers": "minilm", "onnx": "minilm_onnx"}
JUDGE = {"llamaserver": "judge_gguf", "llamacpp": "judge_gguf", "transformers": "judge", "onnx": "judge_onnx"}


def said(gateway, question, **rest):
    answer = gateway.openai.chat.completions.create(
        model=gateway.model, messages=[{"role": "user", "content": question}], temperature=0, **rest
    )
    return answer.choices[0].message.content


@pytest.mark.parametrize("question", FACTS)
def test_the_tiny_model(tiny_loaded, question):
    assert said(tiny_loaded, question, max_tokens=300) == FACTS[question]


@pytest.mark.proof
def test_the_tiny_model_as_optimum_exports_it(fleet, tiny_onnx):
    gateway = fleet("onnx", tiny_onnx)
    assert {question: said(gateway, question, max_tokens=300) for question in FACTS} == FACTS


@pytest.mark.parametrize(("backend", "model"), SMOL)
def test_a_real_model_counts(request, fleet, backend, model):
    gateway = fleet(backend, request.getfixturevalue(model), context_length=1024)
    assert said(gateway, PROMPTS[0], max_tokens=24).startswith(COUNTED)
    assert "Paris" in said(gateway, PROMPTS[1], max_tokens=8)


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("backend", "model"), FULL)
def test_in_float32_every_token_is_the_same(request, fleet, smollm2_hf, backend, model):
    reference = fleet("transformers", smollm2_hf, context_length=1024)
    gateway = fleet(backend, request.getfixturevalue(model), context_length=1024)
    for prompt in PROMPTS:
        assert said(gateway, prompt, max_tokens=64) == said(reference, prompt, max_tokens=64), prompt


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("backend", "model"), FEWER_BITS)
def test_with_fewer_bits_answers_begin_the_same(request, fleet, smollm2_hf, backend, model):
    """How many letters agree before the first that doesn't, of five answers: printed, for `docs`."""
    reference = fleet("transformers", smollm2_hf, context_length=1024)
    gateway = fleet(backend, request.getfixturevalue(model), context_length=1024)
    pairs = [(said(gateway, prompt, max_tokens=64), said(reference, prompt, max_tokens=64)) for prompt in PROMPTS]
    shared = [sum(1 for _ in takewhile(alike, zip(*pair, strict=False))) / max(map(len, pair)) for pair in pairs]
    print(f"{backend} {model}: the same beginning of each answer: {', '.join(f'{part:.0%}' for part in shared)}")
    assert all(text.startswith(COUNTED) for text in pairs[0]), "these 24 tokens have a margin"


def test_embeddings(request, fleet, minilm):
    """Vectors of one text are the same through every backend that has them, and near where texts mean the same."""
    told = {
        backend: vectors(fleet(backend, request.getfixturevalue(model)), TEXTS) for backend, model in MINILM.items()
    }
    reference = told["transformers"]
    for backend, those in told.items():
        near = [cosine(a, b) for a, b in zip(those, reference, strict=True)]
        assert min(near) > 1 - 1e-4, f"{backend}: {near}"
    assert cosine(reference[0], reference[3]) > 0.4 > cosine(reference[0], reference[2])


def test_ranking(request, fleet):
    """One judge, in every format: llama.cpp computes its gelu in another way, which its head makes more of."""
    told = {backend: scores(fleet(backend, request.getfixturevalue(model))) for backend, model in JUDGE.items()}
    for backend, those in told.items():
        assert those == pytest.approx(told["transformers"], abs=0.05), backend
    assert told["onnx"] == pytest.approx(told["transformers"], abs=1e-3)


def test_classification(request, fleet):
    told = []
    for backend, model in (("transformers", "moods"), ("onnx", "moods_onnx")):
        gateway = fleet(backend, request.getfixturevalue(model))
        answer = asked(gateway, "/v1/classify", {"input": TEXTS})
        told.append([(one["label"], *one["probs"]) for one in answer["data"]])
    for one, other in zip(*told, strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], abs=1e-3)


def vectors(gateway, texts):
    answer = asked(gateway, "/v1/embeddings", {"input": texts, "encoding_format": "base64"})
    assert [one["index"] for one in answer["data"]] == list(range(len(texts)))
    raw = [base64.b64decode(one["embedding"]) for one in answer["data"]]
    return [struct.unpack(f"<{len(data) // 4}f", data) for data in raw]


def scores(gateway):
    """What the judge gives each text, in the order of the texts."""
    answer = asked(gateway, "/v1/rerank", {"query": "What is the capital of France?", "documents": TEXTS})
    ranked = [one["relevance_score"] for one in answer["results"]]
    assert ranked == sorted(ranked, reverse=True)
    return [one["relevance_score"] for one in sorted(answer["results"], key=lambda one: one["index"])]


def asked(gateway, path, body):
    answer = httpx.post(f"{gateway.url}{path}", json={"model": gateway.model, **body}, timeout=100)
    assert answer.status_code == 200, answer.text
    return answer.json()


def alike(pair):
    return pair[0] == pair[1]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
