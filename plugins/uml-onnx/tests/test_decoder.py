"""Tokens in, logits out: what is computed together, and in pieces, gives what a whole prompt gives by itself."""

import time

import numpy as np
import pytest

from uml_core.inspection import inspect
from uml_core.inspection import plugin as formats
from uml_core.types import Plan
from uml_core.worker.text import Row
from uml_onnx.files import files_of
from uml_onnx.options import Options

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.engine

EXPORTS = ["smollm2_onnx", "smollm2_onnx_transformers", "smollm2_genai"]
SLOTS, ALONE = 5, 4
CLOSE = 2e-4
"""Of logits up to 30, in 32 bits."""


def plan_of(path, **values):
    graph = path if (path / "genai_config.json").exists() else path / "model.onnx"
    model = inspect(graph, tuple(formats.uml_model_formats()))
    rest = {"context_length": 600, "parallel": SLOTS, "threads": 2, "spin": False} | values
    return Plan(model_id="m", model=model, backend="onnx", tasks=("text-generation",), **rest)


def load(path, kind="onnxruntime", **values):
    from uml_onnx.decoder import Decoder
    from uml_onnx.graph import read_graph
    from uml_onnx.session import Session

    plan = plan_of(path, **values)
    files, options = files_of(plan.model), Options()
    if kind == "genai":
        from uml_onnx.genai import GenaiDecoder

        tokenizer = type("Vocabulary", (), {"n_vocab": files.genai["vocab_size"]})
        return GenaiDecoder(files, plan, options, tokenizer)
    graph = read_graph(files)
    return Decoder(Session(files.graph, plan, options), graph, None, plan=plan, batch=512)


class Sequences:
    """What each slot should hold, and how far off what it gives is."""

    def __init__(self, model):
        self.model, self.tokens, self.worst = model, {}, 0.0
        self.chance = np.random.default_rng(7)

    def some(self, count):
        return self.chance.integers(10, 40_000, count).tolist()

    def alone(self, tokens):
        return self.model.forward([Row(ALONE, 0, tokens, wanted=True)], lambda: False)[0]

    def add(self, *rows):
        """Add so many tokens to each slot in one step, and compare."""
        asked = []
        for slot, count in rows:
            start, new = len(self.tokens.get(slot, [])), self.some(count)
            self.tokens[slot] = [*self.tokens.get(slot, []), *new]
            asked.append(Row(slot, start, new, wanted=True))
        given = self.model.forward(asked, lambda: False).copy()
        for (slot, _), logits in zip(rows, given, strict=True):
            self.worst = max(self.worst, float(abs(logits - self.alone(self.tokens[slot])).max()))


@pytest.fixture(scope="module", params=EXPORTS)
def model(request):
    return load(request.getfixturevalue(request.param))


def test_what_is_computed_together_is_as_if_alone(model):
    all_of = Sequences(model)
    all_of.add((0, 5))
    all_of.add((1, 9), (0, 1))
    all_of.add((1, 11), (0, 1), (2, 33))
    for slots in [(0, 1, 2), (2, 0), (0, 1, 2), (0, 1, 2)]:
        all_of.add(*((slot, 1) for slot in slots))
    all_of.add((0, 1), (1, 20), (2, 1))
    assert all_of.worst < CLOSE


def test_a_beginning_is_kept_or_copied(model):
    one = Sequences(model)
    one.add((0, 20), (1, 6))
    one.add((0, 1), (1, 1))
    assert model.keep(0, 12) == 12
    one.tokens[0] = one.tokens[0][:12]
    one.add((0, 1), (1, 1))
    assert model.copy(0, 3, 10) == 10
    one.tokens[3] = one.tokens[0][:10]
    one.add((3, 4))
    one.add((3, 1), (0, 1), (1, 1))
    assert one.worst < CLOSE
    assert (model.keep(0, 99), model.keep(3, 99)) == (14, 15)


def test_only_what_is_wanted_is_given(model):
    rows = [Row(0, 0, [1, 2, 3], wanted=False), Row(1, 0, [5, 6], wanted=True)]
    assert model.forward(rows, lambda: False).shape == (1, 49_152)
    assert model.forward(rows[:1], lambda: False).shape == (0, 49_152)


def test_a_cancel_reaches_into_a_step(model):
    one, begun = Sequences(model), time.monotonic()
    one.add((0, 30))
    asked = []

    def cancelled():
        asked.append(time.monotonic() - begun)
        return True

    assert model.forward([Row(0, 30, one.some(500), wanted=True)], cancelled) is None
    assert asked
    one.add((0, 1))
    assert one.worst < CLOSE


def test_few_bits_give_the_same_when_the_beginning_was_kept(smollm2_genai_int4):
    model, tokens = load(smollm2_genai_int4), [1, 9690, 198, 2683]
    for count in (4, 2):
        first = model.forward([Row(0, 0, tokens[:count], wanted=True)], lambda: False)[0].copy()
        model.keep(0, count - 1)
        second = model.forward([Row(0, count - 1, tokens[count - 1 : count], wanted=True)], lambda: False)[0]
        assert np.array_equal(first, second)


def test_few_bits_give_the_same_whoever_else_is_in_the_step(smollm2_genai_int4):
    model = load(smollm2_genai_int4)
    rows = [Row(0, 0, [1, 9690, 198, 2683], wanted=True), Row(1, 0, [5, 6, 7], wanted=True)]
    alone = [model.forward([row], lambda: False)[0].copy() for row in rows]
    assert np.array_equal(model.forward(rows, lambda: False), alone)
    more = [Row(0, 4, [9], wanted=True), Row(1, 3, [9], wanted=True), Row(2, 0, [5, 6, 7], wanted=True)]
    apart = [model.forward([row], lambda: False)[0].copy() for row in more]
    assert np.array_equal(model.forward(more, lambda: False), apart)
    assert np.array_equal(apart[2], alone[1])


def test_genai_gives_the_same(smollm2_genai):
    pytest.importorskip("onnxruntime_genai")
    genai, plain = load(smollm2_genai, "genai"), load(smollm2_genai)
    all_of = Sequences(genai)
    all_of.alone = lambda tokens: plain.forward([Row(ALONE, 0, tokens, wanted=True)], lambda: False)[0]
    all_of.add((0, 5), (1, 30))
    all_of.add((0, 1), (1, 1))
    assert genai.keep(1, 10) == 10
    all_of.tokens[1] = all_of.tokens[1][:10]
    all_of.add((1, 2), (0, 1))
    assert all_of.worst < CLOSE
    assert genai.copy(0, 2, 5) == 0
