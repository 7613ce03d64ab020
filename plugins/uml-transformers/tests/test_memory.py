"""What a load takes beyond what core's formula knows; the cache against the one that is really made."""

import json
from pathlib import Path

import pytest

from uml_core.types import Layer, ModelSource, Placement, Plan, Shape
from uml_transformers import plugin
from uml_transformers.options import Options

LAYERS = (
    Layer(kv_heads=2, key_length=8, value_length=8),
    Layer(kind="sliding", kv_heads=2, key_length=8, value_length=8, window=16),
)
ON_GPU = Placement(devices=("cuda:0",))


def plan(quantization="BF16", placement=Placement(), layers=LAYERS, tasks=("text-generation",), metadata=None, **said):  # noqa: B008
    source = ModelSource(
        path=Path("/m"),
        format="safetensors",
        files=(),
        size_bytes=2000,
        parameters=1000,
        quantization=quantization,
        shape=Shape(layers=layers),
        metadata=metadata or {},
    )
    return Plan(
        model_id="m",
        model=source,
        backend="transformers",
        tasks=tasks,
        context_length=100,
        parallel=3,
        options=Options(**said).model_dump(),
        placement=placement,
    )


def parts(plan):
    found = plugin.uml_estimate_memory(plan=plan)
    return {part.kind: part for part in found.parts} if found else {}


@pytest.mark.parametrize(
    ("quantization", "placement", "said", "number"),
    [
        ("BF16", Placement(), {}, 2),
        ("FP32", Placement(), {}, 4),
        ("FP16", Placement(), {}, 4),
        ("FP16", ON_GPU, {}, 2),
        ("FP32", ON_GPU, {}, 2),
        ("FP32", ON_GPU, {"dtype": "float32"}, 4),
        ("BF16", Placement(), {"dtype": "float32"}, 4),
    ],
)
def test_weights_by_the_number_type(quantization, placement, said, number):
    found = parts(plan(quantization, placement, **said))
    assert found["weights"].size_bytes == 1000 * number
    assert found["kv_cache"].size_bytes == 2 * 2 * 16 * number * 100 * 3


def test_memory_is_taken_as_it_is_written_to_but_not_on_a_gpu():
    assert parts(plan())["kv_cache"].low_bytes == 0
    there = parts(plan(placement=ON_GPU))["kv_cache"]
    assert there.low_bytes == there.size_bytes
    assert there.device == "cuda:0"


def test_a_latent_is_kept_as_the_keys_that_it_stands_for():
    sizes = {"num_attention_heads": 4, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8}
    found = parts(plan(layers=(Layer(kind="latent", key_length=20),), metadata=sizes))
    assert found["kv_cache"].size_bytes == 4 * (8 + 4 + 8) * 2 * 100 * 3


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ({"quantization": "gptq-4bit"}, {"kv_cache"}),
        ({"load_in_4bit": True}, {"kv_cache"}),
        ({"tasks": ("feature-extraction",)}, {"weights"}),
        ({"layers": (Layer(kind="recurrent", state_elements=9), *LAYERS)}, {"weights"}),
        ({"quantization": "gptq-4bit", "tasks": ("feature-extraction",)}, set()),
    ],
)
def test_what_it_does_not_know_it_leaves_to_core(said, kinds):
    assert set(parts(plan(**said))) == kinds


@pytest.mark.engine
def test_the_cache_is_as_large_as_it_was_said(smollm2_hf, plan_of):
    pytest.importorskip("transformers")
    from uml_transformers.worker import load

    plan = plan_of(smollm2_hf)
    engine = load(plan, lambda _: None)
    said = parts(plan)
    assert said["kv_cache"].size_bytes == engine.model._slots.size_bytes
    weights = sum(part.nbytes for part in engine.model._model.parameters())
    assert said["weights"].size_bytes == pytest.approx(weights, rel=0.01)
    assert json.loads((smollm2_hf / "config.json").read_text())["num_hidden_layers"] == len(plan.model.shape.layers)
    engine.close()
