"""What the gateway itself does with vectors and scores, and how it proves a model that has just loaded."""

import base64
import json
import struct

import pytest
from pydantic import ValidationError

from uml_core.errors import BadRequestError, ContextLengthExceededError, InternalServerError, ModelLoadError
from uml_core.server.errors import invalid_body
from uml_core.server.failure import error_of
from uml_core.tasks import classify, embeddings, rerank
from uml_core.tasks.plugin import uml_tasks


class Reply:
    """An answer that has arrived."""

    def __init__(self, body, status=200):
        self.status, self._body = status, json.dumps(body).encode()
        self.headers = {"content-type": "application/json"}

    async def __aiter__(self):
        yield self._body

    async def read(self):
        return self._body

    async def aclose(self):
        pass


class Engine:
    """Answers everything with one body, and remembers what it was asked."""

    model_id = "m"

    def __init__(self, body, status=200):
        self.reply, self.asked = (body, status), []

    async def post(self, path, body):
        self.asked.append((path, body))
        return Reply(*self.reply)


def vectors(*given):
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(given)], "usage": {}}


async def body_of(answer):
    return json.loads(await answer.read())


async def test_an_engine_that_can_not_cut_vectors_need_not():
    coded = base64.b64encode(struct.pack("<3f", 3, 4, 12)).decode()
    worker = Engine(vectors([3, 4, 12], [0.6, 0.8], coded))
    request = embeddings.CreateEmbeddingRequest(input="a", dimensions=2)
    body = await body_of(await embeddings.embed(request, worker))
    plain, already, packed = (entry["embedding"] for entry in body["data"])
    assert plain == pytest.approx([0.6, 0.8])
    assert already == [0.6, 0.8]
    assert struct.unpack("<2f", base64.b64decode(packed)) == pytest.approx((0.6, 0.8))
    assert worker.asked == [("/v1/embeddings", {"input": "a", "dimensions": 2, "model": "m"})]
    with pytest.raises(BadRequestError, match="'dimensions' is 4, but this model's vectors have 3"):
        await embeddings.embed(embeddings.CreateEmbeddingRequest(input="a", dimensions=4), Engine(vectors([3, 4, 12])))


async def test_an_error_is_passed_on_as_it_is():
    worker = Engine({"error": {"message": "no"}}, 400)
    request = embeddings.CreateEmbeddingRequest(input="a", dimensions=2)
    assert (await embeddings.embed(request, worker)).status == 400


async def test_documents_do_not_go_there_and_back():
    worker = Engine({"results": [{"index": 1, "relevance_score": 2.0}, {"index": 0, "relevance_score": 1.0}]})
    request = rerank.CreateRerankRequest(query="q", documents=["a", {"text": "b", "more": 1}], return_documents=True)
    body = await body_of(await rerank.rank(request, worker))
    assert [result["document"] for result in body["results"]] == [{"text": "b"}, {"text": "a"}]
    assert worker.asked == [("/v1/rerank", {"query": "q", "documents": ["a", "b"], "model": "m"})]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (embeddings.CreateEmbeddingRequest, {"input": ""}),
        (embeddings.CreateEmbeddingRequest, {"input": ["a"] * 2049}),
        (embeddings.CreateEmbeddingRequest, {"input": [-1]}),
        (embeddings.CreateEmbeddingRequest, {"input": [[]]}),
        (embeddings.CreateEmbeddingRequest, {"input": [True]}),
        (rerank.CreateRerankRequest, {"query": "q", "documents": []}),
        (rerank.CreateRerankRequest, {"query": "", "documents": ["a"]}),
        (classify.CreateClassificationRequest, {"input": []}),
    ],
)
def test_bounds(kind, body):
    with pytest.raises(ValidationError):
        kind.model_validate(body)


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        (
            embeddings.CreateEmbeddingRequest,
            {"input": ["a", 5]},
            "'input': should be a text, token numbers, or a list of up to 2048 texts or of such lists, none of them",
        ),
        (embeddings.CreateEmbeddingRequest, {"input": ["a", "b", ""]}, "none of them empty; number 2 is empty"),
        (classify.CreateClassificationRequest, {"input": None}, "'input': should be a text, token numbers"),
        (
            rerank.CreateRerankRequest,
            {"query": "q", "documents": ["a", ""]},
            "'documents.1': should be a text, or an object with a 'text', and not empty",
        ),
    ],
)
def test_one_sentence_says_what_is_wanted(kind, body, says):
    with pytest.raises(ValidationError) as raised:
        kind.model_validate(body)
    assert says in invalid_body(raised.value.errors()).message


def test_a_way_out_is_said_once():
    said = {
        "message": "'input' has 3 tokens, but this model reads at most 2; shorten it",
        "code": "context_length_exceeded",
    }
    assert error_of(json.dumps({"error": said}).encode(), status=400, codes={}).message == said["message"]


GOOD = {
    embeddings: vectors([0.5, -1]),
    rerank: {"results": [{"index": 0, "relevance_score": -3.5}]},
    classify: {"data": [{"label": "a", "probs": [0.5, 0.5]}]},
}


@pytest.mark.parametrize("task", GOOD)
async def test_a_model_that_computes_numbers_is_proved(task):
    await task.TASK.probe(Engine(GOOD[task]))


@pytest.mark.parametrize(
    ("task", "body"),
    [
        (embeddings, vectors([0.5, None])),
        (embeddings, vectors([])),
        (embeddings, {}),
        (rerank, {"results": [{"index": 0, "relevance_score": None}]}),
        (rerank, {"results": []}),
        (classify, {"data": [{"label": "a", "probs": None}]}),
    ],
)
async def test_one_that_does_not_is_not(task, body):
    with pytest.raises(ModelLoadError, match="'m' is loaded, but what it computes is no number"):
        await task.TASK.probe(Engine(body))


async def test_one_that_refuses_is_not():
    with pytest.raises(ModelLoadError, match="request for the numbers of one text with status 500: it broke"):
        await embeddings.TASK.probe(Engine({"error": {"message": "it broke"}}, 500))


def test_each_kind_of_model_has_its_own_path():
    paths = {task.name: task.path for task in uml_tasks() if task.name != "text-generation"}
    assert paths == {
        "feature-extraction": "/v1/embeddings",
        "text-ranking": "/v1/rerank",
        "text-classification": "/v1/classify",
    }


def test_an_engine_without_a_type_for_it_may_be_understood_by_its_words():
    codes = {"is too large": "context_length_exceeded", "server": "not_for_words"}

    def error(message):
        said = {"error": {"message": message, "type": "server_error"}}
        return error_of(json.dumps(said).encode(), status=500, codes=codes)

    assert type(error("this input is too large to process")) is ContextLengthExceededError
    assert error("this input is too large to process").status == 400
    assert type(error("the server broke")) is InternalServerError, "one word is a type, not words of a message"
