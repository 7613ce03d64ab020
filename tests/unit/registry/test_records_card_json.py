"""A card goes through JSON and comes back as it was, whatever is in it."""

import json
from itertools import groupby
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uml_core.registry.card_json import from_json, shape_from_json, shape_to_json, to_json
from uml_core.types import Layer, ModelCard, ModelSource, Shape

texts = st.text(st.characters(exclude_categories=()), max_size=12)  # also halves of characters, as odd names have them
paths = texts.filter(lambda text: "\0" not in text).map(lambda text: Path("/models") / text)
counts = st.integers(0, 2**63)
many_texts = st.lists(texts, max_size=3).map(tuple)
many_paths = st.lists(paths, max_size=3).map(tuple)
kinds = st.sampled_from(["full", "sliding", "latent", "recurrent", "none"])
layers = st.builds(
    Layer,
    kind=kinds,
    kv_heads=counts,
    key_length=counts,
    value_length=counts,
    window=st.none() | counts,
    state_elements=counts,
    weight_bytes=counts,
    expert_bytes=counts,
)
runs = st.lists(st.tuples(layers, st.integers(1, 40)), max_size=4)
shapes = st.builds(
    Shape,
    embedding_length=counts,
    feed_forward_length=counts,
    heads=counts,
    vocabulary_size=counts,
    experts=counts,
    experts_used=counts,
    input_bytes=counts,
    output_bytes=counts,
    tied=st.booleans(),
    type_bytes=st.lists(st.tuples(texts, counts), max_size=3).map(tuple),
    layers=runs.map(lambda runs: tuple(layer for layer, count in runs for _ in range(count))),
)
facts = {
    "path": paths,
    "format": texts,
    "files": many_paths,
    "size_bytes": counts,
    "kind": st.sampled_from(["model", "projector", "adapter", "imatrix", "other"]),
    "name": st.none() | texts,
    "architecture": st.none() | texts,
    "parameters": st.none() | counts,
    "context_length": st.none() | counts,
    "quantization": st.none() | texts,
    "bits_per_weight": st.none() | st.floats(allow_nan=False),
    "license": st.none() | texts,
    "shape": st.none() | shapes,
    "modalities": many_texts,
    "tasks": many_texts,
    "has_tokenizer": st.booleans(),
    "has_chat_template": st.booleans(),
    "companions": many_paths,
    "missing": many_texts,
    "hazards": st.lists(st.sampled_from(["pickle", "remote-code"]), max_size=2).map(tuple),
}
CARD = ModelCard(path=Path("/m/a.gguf"), format="gguf", files=(Path("/m/a.gguf"),), size_bytes=3)


def test_every_field_is_tried():
    assert [field.name for field in attrs.fields(ModelCard)] == list(facts)


@given(st.builds(ModelCard, **facts))
def test_a_card_comes_back(card):
    text = json.dumps(to_json(card))
    assert text.isascii()  # so that SQLite takes it
    again = from_json(json.loads(text))
    assert again == card
    assert type(again) is ModelCard


@given(shapes)
def test_equal_layers_are_written_once_and_read_as_one(shape):
    facts = shape_to_json(shape)
    again = shape_from_json(json.loads(json.dumps(facts)))
    assert again == shape
    assert len(facts["layers"]) == len(list(groupby(shape.layers)))
    assert len(set(again.layers)) == len({id(layer) for layer in again.layers})


def test_the_text_is_short_and_plain():
    assert to_json(CARD) == {"path": "/m/a.gguf", "format": "gguf", "files": ["/m/a.gguf"], "size_bytes": 3}
    shape = Shape(heads=4, layers=(Layer(kv_heads=2),) * 30 + (Layer(kind="none"),))
    assert shape_to_json(shape) == {
        "heads": 4,
        "layers": [{"count": 30, "kind": "full", "kv_heads": 2}, {"count": 1, "kind": "none"}],
    }


def test_of_a_source_only_the_card_is_kept():
    source = ModelSource(**attrs.asdict(CARD, recurse=False), metadata={"general.name": "x" * 1000})
    assert from_json(to_json(source)) == CARD


def test_what_a_later_version_adds_is_left_out():
    assert from_json({**to_json(CARD), "colour": "red"}) == CARD


@pytest.mark.parametrize(
    "damage",
    [
        {"path": 3},
        {"files": None},
        {"shape": {}},
        {"shape": {"layers": [{"count": 10**12}]}},
        {"shape": {"layers": [{"count": -1}]}},
        {"shape": {"layers": [{"count": 60_000}, {"count": 60_000}]}},
        {"shape": {"layers": [{"count": 1, "colour": "red"}]}},
        {"shape": {"layers": 3}},
        {"shape": {"layers": [], "type_bytes": [["Q4_0"]]}},
    ],
)
def test_damaged_text_is_no_card(damage):
    with pytest.raises((ValueError, TypeError, AttributeError, KeyError)):
        from_json({**to_json(CARD), **damage})
