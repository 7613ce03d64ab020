"""Memory, quality and speed of a model, from its card alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from uml_core.planning.estimate import Estimator
from uml_core.planning.expectation import Expectation, Measurement, expected, read_bytes
from uml_core.planning.needs import needs_bytes
from uml_core.planning.quality import active_part, kept, quality
from uml_core.types import HostInfo, Layer, ModelCard, Shape

FULL = Layer(kv_heads=8, key_length=128, value_length=128)
HOST = HostInfo(platform="linux", physical_cores=2, logical_cores=2, memory_bytes=8, free_memory_bytes=4)


def card(*layers, size=0, **rest):
    return ModelCard(path=Path("/m"), format="gguf", files=(), size_bytes=size, shape=Shape(layers=layers), **rest)


def test_a_model_needs_what_is_estimated_for_one_sequence_in_memory():
    model = card(*[FULL] * 32, size=5000)
    assert needs_bytes(model, context_length=8192) == Estimator(model).at(context_length=8192).total_bytes


def test_a_smaller_cache_and_a_context_beyond_the_training():
    model = card(*[FULL] * 32, size=5000, context_length=8192)
    saved = needs_bytes(model, context_length=8192) - needs_bytes(model, context_length=8192, kv_bits=8)
    assert saved == 32 * 8 * 256 * 8192 * (16 - 8.5) / 8
    assert needs_bytes(model, context_length=10**6) == needs_bytes(model, context_length=8192)


def test_a_model_of_unknown_dimensions_needs_more_than_its_files():
    model = ModelCard(path=Path("/m"), format="onnx", files=(), size_bytes=10**9)
    assert 1.1e9 < needs_bytes(model, context_length=4096) < 1.5e9


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
