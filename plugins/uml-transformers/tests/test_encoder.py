"""Embeddings, ranking and classes from real models in process, beside transformers' own pipelines' numbers."""

import json

import numpy as np
import pytest

from uml_core.errors import BadRequestError
from uml_core.worker.delta import Wait, Whole
from uml_core.worker.encode.requests import ClassifyRequest, EmbeddingRequest, RankRequest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.engine

TEXTS = ["The cat sits on the mat.", "A kitten rests on a rug.", "Stocks fell sharply today.", "x " * 60]


def loaded(plan):
    from uml_transformers.worker import load

    return load(plan, lambda _: None)


def body(engine, pieces):
    for piece in pieces:
        if isinstance(piece, Whole):
            return json.loads(piece.body)
        if isinstance(piece, Wait):
            engine.step()
    raise AssertionError("no answer")


def test_embeddings_are_those_of_sentence_transformers(minilm, plan_of):
    engine = loaded(plan_of(minilm))
    said = body(engine, engine.embed(EmbeddingRequest.read({"input": TEXTS})))
    vectors = np.array([entry["embedding"] for entry in said["data"]])
    model = transformers.AutoModel.from_pretrained(minilm).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    for text, vector in zip(TEXTS, vectors, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**inputs).last_hidden_state[0].mean(0).numpy()
        assert vector @ mean / np.linalg.norm(mean) == pytest.approx(1, abs=1e-5)
    assert said["usage"]["prompt_tokens"] == sum(len(tokenizer(text)["input_ids"]) for text in TEXTS)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_tokens_are_taken_as_they_are(minilm, plan_of):
    engine = loaded(plan_of(minilm))
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    bare = tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    asked = {"input": [bare, tokenizer(TEXTS[0])["input_ids"]]}
    said = body(engine, engine.embed(EmbeddingRequest.read(asked)))
    text = body(engine, engine.embed(EmbeddingRequest.read({"input": TEXTS[0]})))["data"][0]["embedding"]
    np.testing.assert_allclose(said["data"][1]["embedding"], text, atol=1e-5)
    assert said["usage"]["prompt_tokens"] == 2 * len(bare) + 2


def test_a_token_beyond_the_vocabulary_is_refused(minilm, plan_of):
    """On a GPU it would end every later request too."""
    engine = loaded(plan_of(minilm))
    with pytest.raises(BadRequestError, match="a token number must be below"):
        body(engine, engine.embed(EmbeddingRequest.read({"input": [101, 10**6, 102]})))


def test_ranking(judge, plan_of):
    engine = loaded(plan_of(judge))
    documents = ["Paris is the capital of France.", "Cats sleep a lot.", "The Seine flows through Paris."]
    said = body(engine, engine.rank(RankRequest.read({"query": "capital of France", "documents": documents})))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(judge).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(judge)
    with torch.inference_mode():
        logits = [model(**tokenizer("capital of France", text, return_tensors="pt")).logits[0, 0] for text in documents]
    order = sorted(range(3), key=lambda at: -logits[at])
    assert [entry["index"] for entry in said["results"]] == order


def test_classes(moods, plan_of):
    engine = loaded(plan_of(moods))
    said = body(engine, engine.classify(ClassifyRequest.read({"input": TEXTS[:3]})))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(moods).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(moods)
    for text, entry in zip(TEXTS, said["data"], strict=False):
        with torch.inference_mode():
            probs = model(**tokenizer(text, return_tensors="pt")).logits[0].softmax(0)
        np.testing.assert_allclose(entry["probs"], probs, atol=1e-4)
        assert entry["label"] == model.config.id2label[int(probs.argmax())]
