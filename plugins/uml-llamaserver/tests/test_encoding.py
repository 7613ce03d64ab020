"""Models that make vectors or scores of whole texts, with the package and with a program."""

import math
import sys
from pathlib import Path

import openai
import pytest

from uml_core.errors import ContextLengthExceededError
from uml_core.inspection.gguf import read
from uml_core.server.failure import error_of
from uml_llamaserver.plugin import ERROR_CODES

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.engine

CONTEXT = 512
TEXTS = ["A cat sits on the mat.", "A kitten lies on the rug.", "Shares fell on Tuesday."]


def likeness(first, second):
    return sum(one * other for one, other in zip(first, second, strict=True))


@pytest.fixture(params=["package", "program"])
def settings(request, tmp_path):
    """Nothing, or a program in the place of llama-server."""
    if request.param == "package":
        return {}
    program = tmp_path / "llama-server"
    script = Path(__file__).with_name("llama_server.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    return {"binary": program}


@pytest.fixture
def embedder(start, settings, minilm_gguf):
    return start(read(minilm_gguf), settings=settings, task="feature-extraction").wait_ready()


def test_vectors(embedder):
    answer = embedder.openai.embeddings.create(model="org/smol", input=TEXTS)
    cat, kitten, shares = (entry.embedding for entry in answer.data)
    assert [len(cat), round(math.hypot(*cat), 4)] == [384, 1.0]
    assert likeness(cat, kitten) > 0.5 > 0.2 > likeness(cat, shares)
    assert answer.usage.prompt_tokens == 9 + 9 + 7
    tokens = embedder.http.post("/v1/embeddings", json={"input": [[101, 4937, 102], [101, 102]]}).json()
    assert tokens["usage"] == {"prompt_tokens": 5, "total_tokens": 5}


def test_a_text_may_be_as_long_as_the_context_and_no_longer(embedder):
    def asked(words):
        return embedder.http.post("/v1/embeddings", json={"input": "word " * words})

    assert asked(CONTEXT - 2).status_code == 200
    refused = asked(CONTEXT)
    error = error_of(refused.content, status=refused.status_code, codes=ERROR_CODES)
    assert isinstance(error, ContextLengthExceededError)
    assert asked(1).status_code == 200


def test_scores(start, settings, judge_gguf):
    server = start(read(judge_gguf), settings=settings, task="text-ranking").wait_ready()
    body = {"query": "where do cats live", "documents": ["Cats live in houses", "Stocks fell", "w"]}
    results = server.http.post("/v1/rerank", json=body).json()["results"]
    assert [result["index"] for result in results] == [1, 2, 0], "what this model prefers was drawn by chance"
    assert len(server.http.post("/v1/rerank", json={**body, "top_n": 2}).json()["results"]) == 2


def test_a_model_that_writes_makes_no_vectors(start):
    with pytest.raises(openai.APIStatusError):
        start().wait_ready().openai.embeddings.create(model="org/smol", input="a")
