"""What the worker takes for a request."""

import pytest

from uml_core.errors import BadRequestError
from uml_core.worker.encode.requests import ClassifyRequest, EmbeddingRequest, RankRequest

RANK = {"query": "q", "documents": ["a"]}


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
        (["a", [1]], ("a", (1,))),
    ],
)
def test_inputs(given, inputs):
    assert EmbeddingRequest.read({"input": given}).inputs == inputs
    assert ClassifyRequest.read({"input": given}).inputs == inputs


@pytest.mark.parametrize("given", [None, [], [[]], [True], [1, "a"], ["a", 1], [[1.5]], [-1], {}, 3])
def test_what_is_no_input(given):
    with pytest.raises(BadRequestError, match="'input' must be") as raised:
        EmbeddingRequest.read({"input": given})
    assert raised.value.param == "input"


@pytest.mark.parametrize(
    ("kind", "body", "param"),
    [
        (EmbeddingRequest, {"input": "a", "dimensions": 0}, "dimensions"),
        (EmbeddingRequest, {"input": "a", "dimensions": True}, "dimensions"),
        (EmbeddingRequest, {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        (EmbeddingRequest, {"input": "a", "truncate": 1}, "truncate"),
        (RankRequest, {**RANK, "query": None}, "query"),
        (RankRequest, {**RANK, "documents": []}, "documents"),
        (RankRequest, {**RANK, "documents": [{"no": "text"}]}, "documents"),
        (RankRequest, {**RANK, "top_n": 0}, "top_n"),
    ],
)
def test_the_field_at_fault_is_named(kind, body, param):
    with pytest.raises(BadRequestError) as raised:
        kind.read(body)
    assert raised.value.param == param


def test_documents_may_be_objects():
    request = RankRequest.read({**RANK, "documents": ["a", {"text": "b", "id": 3}], "top_n": 1})
    assert (request.documents, request.top_n) == (("a", "b"), 1)
