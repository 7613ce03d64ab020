"""What a model's own files say of its vectors."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from uml_core.errors import InvalidModelFileError
from uml_core.worker.encode.recipe import Recipe
from uml_core.worker.encode.scores import Scores

TRANSFORMER = {"type": "sentence_transformers.models.Transformer", "path": ""}
POOLING = {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}
DENSE = {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}
NORMALIZE = {"type": "sentence_transformers.models.Normalize", "path": "3_Normalize"}
ROWS = np.array([[3, 4]], np.float32)


@pytest.fixture
def write(tmp_path):
    def write(name, value):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(value))
        return tmp_path

    return write


def applied(recipe, rows=ROWS):
    for layer in recipe.layers:
        rows = layer(rows)
    return rows.tolist()


def test_without_any_files_it_is_the_mean_of_length_1(tmp_path):
    recipe = Recipe.of(tmp_path)
    assert (recipe.ways, recipe.prompt, recipe.longest) == (("mean",), "", None)
    assert applied(recipe) == [[pytest.approx(0.6), pytest.approx(0.8)]]


def test_the_files_of_a_real_model(minilm):
    recipe = Recipe.of(minilm)
    assert (recipe.ways, recipe.longest, len(recipe.layers)) == (("mean",), 256, 1)


def test_modules_are_applied_in_their_order_and_none_is_added(write, tmp_path):
    write("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True})
    folder = write("modules.json", [TRANSFORMER, POOLING])
    assert Recipe.of(folder).ways == ("cls", "max")
    assert applied(Recipe.of(folder)) == [[3, 4]], "without the module Normalize"
    write("modules.json", [TRANSFORMER, POOLING, DENSE, NORMALIZE])
    write("2_Dense/config.json", {"activation_function": "torch.nn.modules.linear.Identity"})
    tensors = {"linear.weight": np.array([[0, 2], [0, 0]], np.float32), "linear.bias": np.array([0, 6], np.float32)}
    save_file(tensors, tmp_path / "2_Dense" / "model.safetensors")
    assert applied(Recipe.of(folder)) == [[pytest.approx(0.8), pytest.approx(0.6)]]


def test_the_activation_of_a_layer_is_tanh_if_nothing_is_said(write, tmp_path):
    write("2_Dense/config.json", {})
    save_file({"linear.weight": np.eye(2, dtype=np.float32)}, tmp_path / "2_Dense" / "model.safetensors")
    folder = write("modules.json", [DENSE])
    assert applied(Recipe.of(folder)) == [pytest.approx(np.tanh([3, 4]))]


@pytest.mark.parametrize("said", ["lasttoken", ["lasttoken"]])
def test_newer_files_name_the_way(write, said):
    write("modules.json", [TRANSFORMER, POOLING])
    assert Recipe.of(write("1_Pooling/config.json", {"pooling_mode": said})).ways == ("lasttoken",)


def test_a_prompt_by_default_and_one_that_is_not_pooled(write):
    write("1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "include_prompt": False})
    said = {"prompts": {"query": "q: ", "document": "d: "}, "default_prompt_name": "document"}
    recipe = Recipe.of(write("config_sentence_transformers.json", said))
    assert (recipe.prompt, recipe.pools_prompt) == ("d: ", False)


def test_an_export_in_a_folder_of_its_own(write, tmp_path):
    write("config.json", {"problem_type": "multi_label_classification"})
    write("1_Pooling/config.json", {"pooling_mode_cls_token": True})
    graph = tmp_path / "onnx" / "model.onnx"
    graph.parent.mkdir()
    graph.touch()
    assert Recipe.of(graph).ways == ("cls",)
    assert Scores.of(graph).independent


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("modules.json", [{"type": "sentence_transformers.models.LSTM", "path": ""}], "asks for a 'LSTM'"),
        ("modules.json", [{**POOLING, "path": "../1_Pooling"}], "lies outside of the model"),
        ("modules.json", [3], "is no list of modules"),
        ("modules.json", {}, "is no JSON list"),
        ("modules.json", [DENSE], "needs its weights in a 'model.safetensors'"),
        ("1_Pooling/config.json", {"pooling_mode": "cls_of_cls"}, "not known"),
        ("1_Pooling/config.json", {}, "not known"),
    ],
)
def test_what_can_not_be_done_is_said(write, name, value, why):
    with pytest.raises(InvalidModelFileError, match=why):
        Recipe.of(write(name, value))


def test_no_json(tmp_path):
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(InvalidModelFileError, match=r"modules\.json' can't be read as JSON"):
        Recipe.of(tmp_path)


@pytest.mark.parametrize(
    ("config", "score"),
    [
        ({}, 3.0),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}, 0.9526),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, 3.0),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"}, 0.9526),
    ],
)
def test_a_score_is_as_the_files_say(write, config, score):
    folder = write("config.json", config)
    assert Scores.of(folder).relevance(np.array([3, 9], np.float32)) == pytest.approx(score, abs=1e-4)


def test_probabilities():
    row = np.array([1, 1, 1000], np.float32)
    assert Scores().probabilities(row) == [0, 0, 1]
    assert Scores(independent=True).probabilities(row[:2]) == [pytest.approx(0.7311, abs=1e-4)] * 2
