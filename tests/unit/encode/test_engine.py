"""The engine with a model whose answers can be foretold: the vector of a text is how often it has each token."""

import base64
import json
import struct

import attrs
import numpy as np
import pytest

from uml_core.errors import BadRequestError, ContextLengthExceededError, InternalServerError, TaskNotSupportedError
from uml_core.types import ModelSource, Plan
from uml_core.worker.delta import WAIT, Delta, Whole
from uml_core.worker.encode import Encoded, Outputs
from uml_core.worker.encode.engine import EncoderEngine
from uml_core.worker.encode.recipe import Recipe
from uml_core.worker.encode.requests import ClassifyRequest, EmbeddingRequest, RankRequest

START, END, VOCABULARY = 1, 2, 128
TASKS = ("feature-extraction", "text-ranking", "text-classification")


class CountingModel:
    """A token is a letter. ``hidden`` has a 1 at the token's number, logits the length and minus it."""

    longest = 40
    padding = 0
    labels = ("short", "long")

    def __init__(self, gives="hidden"):
        self.gives = gives
        self.batches = []

    def encode(self, text, pair=None):
        if isinstance(text, tuple):
            return Encoded(text, [0] * len(text))
        tokens = [START, *map(ord, text), END]
        more = [*map(ord, pair), END] if pair is not None else []
        return Encoded([*tokens, *more], [0] * len(tokens) + [1] * len(more))

    def forward(self, tokens, mask, types):
        self.batches.append(mask.sum(axis=1).tolist())
        if self.gives == "hidden":
            return Outputs(hidden=np.eye(VOCABULARY, dtype=np.float32)[tokens])
        if self.gives == "nothing good":
            return Outputs(hidden=np.full((*tokens.shape, 4), np.nan, np.float32))
        longer = types.sum(axis=1).astype(np.float32)[:, None] + mask.sum(axis=1, dtype=np.float32)[:, None] / 100
        return Outputs(logits=np.hstack([longer, -longer]))

    def close(self):
        self.batches.append("closed")


@pytest.fixture
def make(tmp_path):
    def make(model=None, *, recipe=None, tasks=TASKS, **rest):
        source = ModelSource(path=tmp_path, format="safetensors", files=(), size_bytes=0)
        plan = Plan(model_id="m", model=source, backend="b", tasks=tasks, context_length=0)
        recipe = recipe or Recipe(layers=())
        return EncoderEngine(model or CountingModel(), plan, recipe=recipe, **rest)

    return make


def run(engine, *answers):
    """Pull as the worker's thread does; the bodies in their order."""
    bodies, going = {}, dict(enumerate(answers))
    while going:
        for at, answer in list(going.items()):
            for piece in answer:
                if isinstance(piece, Whole):
                    bodies[at] = json.loads(piece.body)
                    del going[at]
                if piece is WAIT or isinstance(piece, Delta | Whole):
                    break
        engine.step()
    return [bodies[at] for at in range(len(answers))]


def embed(engine, given, **more):
    return engine.embed(EmbeddingRequest.read({"input": given, **more}))


def counted(body):
    return [{chr(at): round(vector[at], 4) for at in np.nonzero(vector)[0]} for vector in vectors(body)]


def vectors(body):
    return [entry["embedding"] for entry in body["data"]]


def test_results_are_in_the_order_that_was_asked_and_batches_by_length(make):
    model = CountingModel()
    texts = ["x" * length for length in (5, 30, 1, 20, 30, 2)]
    (body,) = run(engine := make(model, batch=64), embed(engine, texts))
    assert [entry["index"] for entry in body["data"]] == list(range(6))
    shares = [round(vector[ord("x")], 4) for vector in vectors(body)]
    assert shares == [round(len(text) / (len(text) + 2), 4) for text in texts]
    assert model.batches == [[32, 32], [22, 7], [4, 3]]
    assert body["usage"] == {"prompt_tokens": 100, "total_tokens": 100}
    assert body["model"] == "m"


def test_requests_share_batches_and_none_waits_for_all_of_another(make):
    model = CountingModel()
    engine = make(model, batch=64)
    long, short = embed(engine, ["x" * 30] * 20), embed(engine, "abc")
    for answer in (long, short):
        assert next(answer) is WAIT
    engine.step()
    engine.step()
    assert isinstance(next(short), Whole), "it came second, and was computed second"
    assert next(long) is WAIT
    engine.step()
    assert len(model.batches) == 3
    third, fourth = embed(engine, "abcd"), embed(engine, "efgh")
    for answer in (third, fourth):
        next(answer)
    before = len(model.batches)
    run(engine, third, fourth, long)
    assert [6, 6] in model.batches[before:], "two of one length are computed together"


def test_who_leaves_is_computed_no_more(make):
    model = CountingModel()
    engine = make(model, batch=32)
    left = embed(engine, ["x" * 30] * 20)
    next(left)
    engine.step()
    left.close()
    engine.step()
    assert len(model.batches) == 1


def test_a_text_that_is_nothing_to_the_model_is_refused(make):
    class Bare(CountingModel):
        def encode(self, text, pair=None):
            return Encoded(list(map(ord, text.strip())), [0] * len(text.strip()))

    engine = make(Bare())
    with pytest.raises(BadRequestError, match=r"'input\[1\]' has no tokens") as raised:
        run(engine, embed(engine, ["a", " "]))
    assert raised.value.param == "input"


def test_many_texts_are_read_in_pieces(make):
    answer = embed(make(), ["a"] * 100)
    assert [next(answer) for _ in range(4)] == [Delta(), Delta(), Delta(), WAIT]


def test_vectors_in_both_encodings_are_the_same(make):
    engine = make(recipe=Recipe())
    plain, coded, short = run(
        engine,
        embed(engine, "abc"),
        embed(engine, "abc", encoding_format="base64"),
        embed(engine, "abc", dimensions=98),
    )
    (vector,), (text,), (cut,) = vectors(plain), vectors(coded), vectors(short)
    unpacked = struct.unpack(f"<{VOCABULARY}f", base64.b64decode(text))
    assert np.array(vector, np.float32).tolist() == list(unpacked)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert np.array(cut)[[1, 2, 97]] == pytest.approx(3**-0.5), "of length 1 again"


def test_there_are_no_more_dimensions_than_there_are(make):
    engine = make()
    with pytest.raises(BadRequestError, match="'dimensions' is 200, but this model's vectors have 128"):
        run(engine, embed(engine, "a", dimensions=200))


@pytest.mark.parametrize(("given", "place"), [("x" * 39, "input"), (["a", "x" * 39], r"input\[1\]")])
def test_what_is_too_long_is_named(make, given, place):
    with pytest.raises(ContextLengthExceededError, match=f"'{place}' has 41 tokens, but this model reads at most 40"):
        next(embed(make(), given))


def test_what_is_too_long_may_be_cut_and_keeps_its_end(make):
    engine = make()
    (body,) = run(engine, embed(engine, "x" * 100, truncate=True))
    assert counted(body) == [{"\1": 0.025, "\2": 0.025, "x": 0.95}]
    assert body["usage"]["prompt_tokens"] == 40


def test_the_bound_may_be_in_the_files(make):
    with pytest.raises(ContextLengthExceededError, match="at most 8"):
        next(embed(make(recipe=Recipe(longest=8)), "x" * 7))


@pytest.mark.parametrize(
    ("pools", "found"), [(True, {"\1": 0.2, "\2": 0.2, "q": 0.2, "a": 0.4}), (False, {"\2": 0.3333, "a": 0.6667})]
)
def test_a_prompt_is_read_and_pooled_if_the_files_want_it(make, pools, found):
    engine = make(recipe=Recipe(prompt="q", pools_prompt=pools, layers=()))
    text, tokens = run(engine, embed(engine, "aa"), embed(engine, [97, 97]))
    assert counted(text) == [found]
    assert counted(tokens) == [{"a": 1}], "tokens are what they are"


def test_ranking(make):
    engine = make(CountingModel("logits"))
    request = RankRequest.read({"query": "q", "documents": ["bb", "a", "dddd", "ccc"], "top_n": 3})
    (body,) = run(engine, engine.rank(request))
    assert [result["index"] for result in body["results"]] == [2, 3, 0]
    assert body["results"][0]["relevance_score"] == pytest.approx(5.08)
    assert body["usage"]["total_tokens"] == 4 * 4 + 10
    assert body["id"].startswith("rerank-")
    with pytest.raises(ContextLengthExceededError, match=r"'documents\[1\]'"):
        next(engine.rank(RankRequest(query="q", documents=("a", "x" * 40))))


def test_classes(make):
    engine = make(CountingModel("logits"))
    (body,) = run(engine, engine.classify(ClassifyRequest.read({"input": ["a", "abc"]})))
    assert [(entry["index"], entry["label"], entry["num_classes"]) for entry in body["data"]] == [
        (0, "short", 2), (1, "short", 2),
    ]  # fmt: skip
    assert sum(body["data"][0]["probs"]) == pytest.approx(1)


def test_what_is_no_number_is_not_sent(make):
    engine = make(CountingModel("nothing good"))
    with pytest.raises(InternalServerError, match="no number"):
        run(engine, embed(engine, "a"))


def test_a_model_does_what_it_was_planned_for(make):
    engine = make(tasks=("text-ranking",))
    with pytest.raises(TaskNotSupportedError, match="'m' is for text-ranking, not for feature-extraction"):
        next(embed(engine, "a"))


def test_closing(make):
    make(model := CountingModel()).close()
    assert model.batches == ["closed"]


def test_the_smallest_context_counts(tmp_path):
    source = ModelSource(path=tmp_path, format="safetensors", files=(), size_bytes=0)
    plan = Plan(model_id="m", model=source, backend="b", tasks=TASKS, context_length=16)
    with pytest.raises(ContextLengthExceededError, match="at most 16"):
        next(embed(EncoderEngine(CountingModel(), plan), "x" * 15))
    assert next(embed(EncoderEngine(CountingModel(), attrs.evolve(plan, context_length=64)), "x" * 38)) is WAIT
