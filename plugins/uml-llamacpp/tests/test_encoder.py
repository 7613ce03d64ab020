"""Vectors and scores of whole texts out of GGUF, beside those of transformers and of the plan."""

import json

import numpy as np
import pytest

from uml_core.errors import BadRequestError, ContextLengthExceededError
from uml_core.inspection.gguf import read
from uml_core.types import Plan
from uml_core.worker.delta import WAIT, Whole
from uml_core.worker.encode.requests import EmbeddingRequest, RankRequest
from uml_llamacpp import plugin
from uml_llamacpp.options import Options

pytest.importorskip("llama_cpp")
pytestmark = pytest.mark.engine

CONTEXT = 128
TEXTS = ["A cat sits.", "Größe und naïve Café", "stocks fell 3.5% today!", "word " * 100]


@pytest.fixture
def load():
    """Loads a file for a task."""
    from uml_llamacpp import worker

    engines = []

    def load(path, task, **options):
        source = read(path)
        how = {"context_length": CONTEXT, "options": Options(**options).model_dump()}
        plan = Plan(model_id="m", model=source, backend="llamacpp", tasks=(task,), **how)
        engines.append(worker.load(plan, lambda _: None))
        return engines[-1]

    yield load
    for engine in engines:
        engine.close()


def answer(engine, pieces):
    for piece in pieces:
        if isinstance(piece, Whole):
            return json.loads(piece.body)
        if piece is WAIT:
            engine.step()
    raise AssertionError("there was no end")


def vectors(engine, texts, **more):
    said = answer(engine, engine.embed(EmbeddingRequest.read({"input": texts, **more})))
    return np.array([entry["embedding"] for entry in said["data"]]), said["usage"]["prompt_tokens"]


def test_vectors_are_those_of_the_weights(load, minilm, minilm_gguf):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    inputs = transformers.AutoTokenizer.from_pretrained(minilm)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = transformers.AutoModel.from_pretrained(minilm)(**inputs).last_hidden_state.numpy()
    mask = inputs["attention_mask"].numpy()
    mean = (hidden * mask[..., None]).sum(1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    found, tokens = vectors(load(minilm_gguf, "feature-extraction"), TEXTS)
    assert (mean * found).sum(1).min() > 1 - 1e-4
    assert tokens == mask.sum()


def test_a_text_has_the_same_vector_among_others_and_alone(load, minilm_gguf):
    engine = load(minilm_gguf, "feature-extraction")
    texts = ["word " * (at % 90) + "cat" for at in range(150)]
    together, _ = vectors(engine, texts)
    alone, _ = vectors(engine, texts[77])
    assert float(together[77] @ alone[0]) > 1 - 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


def test_tokens_and_limits(load, minilm_gguf):
    engine = load(minilm_gguf, "feature-extraction")
    written, count = vectors(engine, "a cat")
    given, counted = vectors(engine, [101, 1037, 4937, 102])
    assert (count, counted) == (4, 4)
    assert float(written[0] @ given[0]) > 1 - 1e-6
    with pytest.raises(ContextLengthExceededError, match=r"'input\[1\]' has 131 tokens, .* at most 128"):
        vectors(engine, ["a", "word " * 129])
    assert vectors(engine, "word " * 129, truncate=True)[1] == CONTEXT
    with pytest.raises(BadRequestError, match="below 30522"):
        vectors(engine, [30522])


def test_scores_are_those_of_the_weights(load, judge, judge_gguf):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    query, documents = "where do cats live", ["Cats live in houses", "Stocks fell", "w"]
    inputs = transformers.AutoTokenizer.from_pretrained(judge)(
        [query] * 3, documents, padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = transformers.AutoModelForSequenceClassification.from_pretrained(judge)(**inputs).logits[:, 0].numpy()
    engine = load(judge_gguf, "text-ranking")
    said = answer(engine, engine.rank(RankRequest(query=query, documents=tuple(documents))))
    scores = {result["index"]: result["relevance_score"] for result in said["results"]}
    assert [scores[at] for at in range(3)] == pytest.approx(logits, abs=0.05), "llama.cpp has another gelu"
    assert said["usage"]["prompt_tokens"] == inputs["attention_mask"].sum()


def test_a_model_that_writes_can_be_made_to_embed(load, smollm2):
    engine = load(smollm2, "feature-extraction")
    found, _ = vectors(engine, ["A cat sits.", "A cat sits.", "Shares fell."])
    assert found[0] @ found[1] > 1 - 1e-5
    assert found[0] @ found[2] < 0.99


def test_what_it_takes_is_laid_out_with_its_batch(minilm_gguf):
    def compute(context):
        how = {"context_length": context, "options": Options().model_dump()}
        plan = Plan(model_id="m", model=read(minilm_gguf), backend="llamacpp", tasks=("feature-extraction",), **how)
        parts = plugin.uml_estimate_memory(plan).parts
        assert not [part for part in parts if part.kind == "kv_cache"]
        return sum(part.size_bytes for part in parts if part.kind == "compute")

    assert compute(2048) > 1.5 * compute(512)
