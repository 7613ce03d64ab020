"""Memory, quality and speed of a model, from its card alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from uml_core.planning.expectation import Expectation, Measurement, expected, read_bytes
from uml_core.planning.needs import PROCESS_BYTES, needs_bytes
from uml_core.planning.quality import active_part, kept, quality
from uml_core.types import HostInfo, Layer, ModelCard, Shape

FULL = Layer(kv_heads=8, key_length=128, value_length=128)
KIB = 1024
HOST = HostInfo(platform="linux", physical_cores=2, logical_cores=2, memory_bytes=8, free_memory_bytes=4)


def card(*layers, size=0, **rest):
    return ModelCard(path=Path("/m"), format="gguf", files=(), size_bytes=size, shape=Shape(layers=layers), **rest)


def cache(model, tokens, **rest):
    return needs_bytes(model, context_length=tokens, **rest) - PROCESS_BYTES


def test_llama_3_8b_keeps_128_kib_a_token():
    assert cache(card(*[FULL] * 32), 8192) == 8192 * 128 * KIB


def test_qwen3_0_6b_keeps_112_kib_a_token():
    assert cache(card(*[FULL] * 28), 1024) == 1024 * 112 * KIB


@pytest.mark.parametrize(
    ("layer", "tokens", "elements"),
    [
        (FULL, 100, 8 * 256 * 256),
        (Layer(kind="sliding", kv_heads=1, key_length=64, value_length=64, window=1024), 8192, 128 * 1536),
        (Layer(kind="sliding", kv_heads=1, key_length=64, value_length=64, window=1024), 512, 128 * 512),
        (Layer(kind="latent", key_length=576), 4096, 576 * 4096),
        (Layer(kind="recurrent", state_elements=1000), 10**6, 2 * 1000),
        (Layer(kind="none"), 8192, 0),
    ],
)
def test_layers_of_other_kinds(layer, tokens, elements):
    assert cache(card(layer), tokens) == elements * 2


def test_a_smaller_cache_and_a_context_beyond_the_training():
    assert cache(card(FULL), 1024, kv_bits=8) == 1024 * 2048
    assert cache(card(FULL, context_length=512), 10**6) == 512 * 4096


def test_the_weights_and_what_is_computed():
    shape = Shape(feed_forward_length=1000, experts=8, experts_used=2)
    model = ModelCard(path=Path("/m"), format="gguf", files=(), size_bytes=5000, shape=shape)
    assert needs_bytes(model, context_length=4096) == 5000 + 512 * 3 * 1000 * 2 * 4 + PROCESS_BYTES


def test_a_model_of_unknown_dimensions():
    model = ModelCard(path=Path("/m"), format="onnx", files=(), size_bytes=1000)
    assert needs_bytes(model, context_length=4096) == 1150 + PROCESS_BYTES


@pytest.mark.parametrize(
    ("bits", "part"), [(16, 1), (8.5, 1), (4.8, 0.92), (4.0, 0.7), (2.0, 0.1), (1.0, 0.05), (0, 0)]
)
def test_what_few_bits_leave(bits, part):
    assert kept(bits) == pytest.approx(part)


def test_below_four_bits_the_smaller_model_is_the_better_one():
    large = card(parameters=14 * 10**9, bits_per_weight=2.6)
    small = card(parameters=7 * 10**9, bits_per_weight=4.85)
    assert quality(small) > quality(large)
    assert quality(card(parameters=14 * 10**9, bits_per_weight=4.85)) > quality(small)


def test_a_mixture_of_experts_reads_only_those_that_work():
    shape = Shape(embedding_length=4096, feed_forward_length=14336, experts=8, experts_used=2, layers=(FULL,) * 32)
    mixtral = ModelCard(
        path=Path("/m"), format="gguf", files=(), size_bytes=26 * 10**9, parameters=46_700_000_000, shape=shape
    )
    assert active_part(mixtral) == pytest.approx(12.9 / 46.7, rel=0.02)
    assert read_bytes(mixtral) == pytest.approx(26e9 * 12.9 / 46.7, rel=0.02)


def test_a_speed_is_estimated_from_the_most_similar_model_of_that_backend():
    known = [
        Measurement(model_id="small", backend="a", read_bytes=100, tokens_per_s=50),
        Measurement(model_id="large", backend="a", read_bytes=10_000, tokens_per_s=2),
        Measurement(model_id="other", backend="b", read_bytes=2000, tokens_per_s=99),
    ]
    model = card(size=2000)
    assert expected(model, "a", measurements=known, host=HOST, has_device=False) == Expectation(
        tokens_per_s=10, how="estimated", source="large"
    )
    assert expected(model, "c", measurements=known, host=HOST, has_device=True).source == "other"


def test_a_speed_is_guessed_from_the_cores_where_nothing_is_known():
    guess = expected(card(size=10**9), "a", measurements=[], host=HOST, has_device=False)
    assert guess == Expectation(tokens_per_s=8, how="guessed")
    assert expected(card(size=10**9), "a", measurements=[], host=HOST, has_device=True) is None
