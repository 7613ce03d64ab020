"""Graphs that read: a batch gives what each text gives alone, and what is given is told by names and dimensions."""

import numpy as np
import pytest

from uml_core.errors import ModelLoadError
from uml_core.inspection import inspect
from uml_core.inspection import plugin as formats
from uml_core.types import Match, Plan, Rejected
from uml_onnx import plugin
from uml_onnx.files import files_of
from uml_onnx.options import Options

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.engine

SHORT, LONG = "Stocks fell.", "The cat sits on the mat, and nobody knows for how long it has been there."


def inspected(folder):
    return inspect(folder / "model.onnx", tuple(formats.uml_model_formats()))


def load(folder, *, pools):
    from uml_onnx.encoder import Encoder
    from uml_onnx.session import Session

    model = inspected(folder)
    plan = Plan(model_id="m", model=model, backend="onnx", tasks=(), context_length=512)
    files = files_of(model)
    return Encoder(Session(files.graph, plan, Options()), files, pools=pools)


def batch(*encoded):
    shape = len(encoded), max(len(one.tokens) for one in encoded)
    tokens, mask, types = (np.zeros(shape, np.int64) for _ in range(3))
    for at, one in enumerate(encoded):
        tokens[at, : len(one.tokens)], mask[at, : len(one.tokens)] = one.tokens, 1
        types[at, : len(one.tokens)] = one.types
    return tokens, mask, types


@pytest.mark.parametrize(
    ("name", "kind", "width"),
    [("minilm_onnx", "hidden", 384), ("judge_onnx", "logits", 1), ("moods_onnx", "logits", 3)],
)
def test_a_batch_gives_what_each_gives_alone(request, name, kind, width):
    model = load(request.getfixturevalue(name), pools=kind == "hidden")
    texts = [model.encode(SHORT), model.encode(LONG), model.encode(SHORT, LONG)]
    together = getattr(model.forward(*batch(*texts)), kind)
    assert together.shape[-1] == width
    assert together.dtype == np.float32
    for at, text in enumerate(texts):
        alone = getattr(model.forward(*batch(text)), kind)[0]
        mine = together[at][: len(text.tokens)] if kind == "hidden" else together[at]
        assert mine == pytest.approx(alone, abs=1e-4)


def test_what_a_model_tells_of_itself(moods_onnx, judge_onnx, minilm_onnx):
    assert load(moods_onnx, pools=False).labels == ("glad", "sad", "angry")
    assert (load(judge_onnx, pools=False).longest, load(minilm_onnx, pools=True).longest) == (512, 512)


def test_scores_of_a_graph_without_any(minilm_onnx, judge_onnx):
    with pytest.raises(ModelLoadError, match="but no vectors of a text"):
        load(judge_onnx, pools=True)


@pytest.mark.parametrize(
    ("name", "task"),
    [("minilm_onnx", "feature-extraction"), ("judge_onnx", "text-ranking"), ("moods_onnx", "text-classification")],
)
def test_what_it_is_offered_for(request, name, task):
    match = plugin.uml_detect_backend(model=inspected(request.getfixturevalue(name)), settings={})
    assert isinstance(match, Match)
    assert match.tasks == (task,)


def test_a_graph_without_its_tokenizer(minilm_onnx, tmp_path):
    for name in ("model.onnx", "config.json"):
        (tmp_path / name).symlink_to(minilm_onnx / name)
    rejected = plugin.uml_detect_backend(model=inspected(tmp_path), settings={})
    assert isinstance(rejected, Rejected)
    assert "no 'tokenizer.json' beside the graph" in rejected.reason


def test_graphs_for_something_else(silero):
    rejected = plugin.uml_detect_backend(model=inspect(silero[0], tuple(formats.uml_model_formats())), settings={})
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith("the graph is for ")
