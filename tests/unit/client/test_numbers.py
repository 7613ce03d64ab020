"""Vectors, scores and classes by the client."""

import json

import pytest

from uml_core.client import UniversalClient
from uml_core.errors import TaskNotSupportedError


@pytest.fixture
def client(gateway):
    return UniversalClient(gateway.url)


def answered(gateway, path, **body):
    gateway.json(path, json.dumps(body).encode())


def test_vectors(gateway, client):
    answered(gateway, "/v1/embeddings", data=[{"index": 0, "embedding": [0.5, 1.0]}])
    assert client.embed("a", model="m", dimensions=2) == [[0.5, 1.0]]
    assert client.embed(("a", "b")) == [[0.5, 1.0]]
    assert [json.loads(body) for _, _, body in gateway.requests] == [
        {"model": "m", "input": "a", "dimensions": 2},
        {"input": ["a", "b"]},
    ]


def test_scores(gateway, client):
    best = {"index": 1, "relevance_score": 2.5}
    answered(gateway, "/v1/rerank", results=[best])
    assert client.rerank("q", ["a", {"text": "b"}], top_n=1) == [best]
    assert json.loads(gateway.requests[-1][2]) == {"query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}


def test_classes(gateway, client):
    answered(gateway, "/v1/classify", data=[{"index": 0, "label": "glad", "probs": [0.9, 0.1], "num_classes": 2}])
    assert client.classify("a")[0]["label"] == "glad"


def test_a_model_for_something_else(gateway, client):
    error = {"message": "it writes", "type": "invalid_request_error", "code": "task_not_supported", "param": "model"}
    gateway.json("/v1/embeddings", json.dumps({"error": error}).encode(), status=400)
    with pytest.raises(TaskNotSupportedError, match="it writes"):
        client.embed("a")
