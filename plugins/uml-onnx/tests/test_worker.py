"""What the worker loads for each task, answered through the layers as `serve` drives them."""

import json

import pytest

from uml_core.inspection import inspect
from uml_core.inspection import plugin as formats
from uml_core.testing.driving import drive
from uml_core.types import Plan
from uml_core.worker.encode.requests import ClassifyRequest, EmbeddingRequest, RankRequest
from uml_core.worker.requests import ChatRequest
from uml_onnx.options import Options
from uml_onnx.worker import load

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.engine

COUNT = "Count from 1 to 10."
COUNTED = "1. 1\n2. 2\n3. 3\n4. 4\n5. 5"


def loaded(folder, task, **options):
    graph = folder if (folder / "genai_config.json").exists() else folder / "model.onnx"
    model = inspect(graph, tuple(formats.uml_model_formats()))
    values = Options(**options).model_dump()
    plan = Plan(
        model_id="m", model=model, backend="onnx", tasks=(task,), context_length=512, parallel=2, options=values
    )
    return load(plan, lambda _: None)


def whole(engine, method, request):
    """The body of an answer that is no text."""
    pieces = getattr(engine, method)(request)
    for piece in pieces:
        if hasattr(piece, "body"):
            return json.loads(piece.body)
        engine.step()
    raise AssertionError("there was no answer")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("smollm2_onnx", {}),
        ("smollm2_onnx_transformers", {}),
        ("smollm2_genai", {}),
        ("smollm2_genai_int4", {}),
        ("smollm2_genai_int4", {"engine": "genai"}),
    ],
)
def test_every_export_counts(request, name, options):
    if options:
        pytest.importorskip("onnxruntime_genai")
    engine = loaded(request.getfixturevalue(name), "text-generation", **options)
    asked = ChatRequest(messages=({"role": "user", "content": COUNT},), max_tokens=24, temperature=0.0)
    told = drive(engine, asked, asked)
    engine.close()
    assert [one.text for one in told] == [COUNTED, COUNTED]


def test_embeddings(minilm_onnx):
    engine = loaded(minilm_onnx, "feature-extraction")
    texts = ["The cat sits on the mat.", "A kitten is resting on a rug.", "The stock market fell sharply today."]
    body = whole(engine, "embed", EmbeddingRequest.read({"input": texts}))
    cat, kitten, stocks = (one["embedding"] for one in body["data"])
    near, far = (sum(a * b for a, b in zip(cat, other, strict=True)) for other in (kitten, stocks))
    assert near == pytest.approx(0.64, abs=0.02)
    assert far < 0.1


def test_reranking_and_classes(judge_onnx, moods_onnx):
    documents = ["Bananas are yellow.", "The capital of France is Paris."]
    asked = RankRequest.read({"query": "What is the capital of France?", "documents": documents})
    results = whole(loaded(judge_onnx, "text-ranking"), "rank", asked)["results"]
    assert {one["index"] for one in results} == {0, 1}
    asked = ClassifyRequest.read({"input": ["What a lovely day!"]})
    (one,) = whole(loaded(moods_onnx, "text-classification"), "classify", asked)["data"]
    assert one["num_classes"] == 3
    assert sum(one["probs"]) == pytest.approx(1, abs=1e-5)
