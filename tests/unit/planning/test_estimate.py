"""The formula for the memory of a load: what each kind of model takes, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from uml_core.errors import BadRequestError
from uml_core.planning.estimate import Estimator
from uml_core.types import Layer, ModelCard, Placement, Shape

KIB = 1024
FULL = Layer(kv_heads=8, key_length=128, value_length=128)
WINDOW = Layer(kind="sliding", kv_heads=1, key_length=64, value_length=64, window=1024)


def model(*layers, size=0, **shape):
    return ModelCard(path=Path("/m"), format="gguf", files=(), size_bytes=size, shape=Shape(layers=layers, **shape))


def cache(layers, tokens, parallel=1, **placement):
    estimate = Estimator(model(*layers)).at(context_length=tokens, parallel=parallel, placement=Placement(**placement))
    return estimate.bytes_of("kv_cache")


def test_llama_3_8b_keeps_128_kib_a_token():
    assert cache([FULL] * 32, 8192) == 8192 * 128 * KIB


def test_qwen3_0_6b_keeps_112_kib_a_token():
    assert cache([FULL] * 28, 1024) == 1024 * 112 * KIB


@pytest.mark.parametrize(
    ("layer", "tokens", "elements"),
    [
        (FULL, 100, 8 * 256 * 256),
        (WINDOW, 8192, 128 * 1536),
        (WINDOW, 512, 128 * 512),
        (Layer(kind="latent", kv_heads=1, key_length=576), 4096, 576 * 4096),
        (Layer(kind="recurrent", state_elements=1000), 10**6, 2 * 1000),
        (Layer(kind="none"), 8192, 0),
    ],
)
def test_what_layers_of_other_kinds_keep(layer, tokens, elements):
    assert cache([layer], tokens) == elements * 2


def test_a_window_may_be_kept_whole_and_grows_with_the_batch():
    assert cache([WINDOW], 8192, full_window=True) == 128 * 8192 * 2
    assert cache([WINDOW], 8192, batch=2048) == 128 * 3072 * 2


def test_keys_and_values_of_different_types_and_several_sequences():
    assert cache([FULL], 1024, cache_type_k="q8_0", cache_type_v="q4_0") == 8 * 128 * 1024 * (34 + 18) / 32
    assert cache([FULL], 1000, parallel=3) == 3 * 8 * 256 * 1024 * 2


def test_an_unknown_cache_type_is_refused():
    with pytest.raises(BadRequestError, match="'q9' is no number type"):
        cache([FULL], 1024, cache_type_k="q9")


BLOCKS = tuple(Layer(kv_heads=1, key_length=64, value_length=64, weight_bytes=1000, expert_bytes=900) for _ in range(4))
TIED = model(*BLOCKS, size=4600, input_bytes=500, output_bytes=100, tied=True)


def weights(card, **placement):
    estimate = Estimator(card).at(context_length=256, placement=Placement(**placement))
    return {part.device: part.size_bytes for part in estimate.parts if part.kind == "weights"}


def test_the_embedding_stays_in_memory_and_is_copied_where_it_is_the_output_too():
    assert weights(TIED) == {"cpu": 4600}
    assert weights(TIED, devices=("cuda:0",), gpu_layers=5) == {"cpu": 500, "cuda:0": 4600}
    assert weights(TIED, devices=("cuda:0",), gpu_layers=2) == {"cpu": 3500, "cuda:0": 1600}
    assert weights(TIED, devices=("cuda:0",), gpu_layers=0) == {"cpu": 4600}


def test_experts_may_stay_in_memory_and_what_lies_between_them_stays_mapped():
    placement = Placement(devices=("cuda:0",), gpu_layers=5, cpu_experts=2)
    host, device = (
        next(part for part in Estimator(TIED).at(context_length=256, placement=placement).on(where))
        for where in ("cpu", "cuda:0")
    )
    assert (device.kind, device.size_bytes) == ("weights", 2800)
    assert (host.kind, host.low_bytes, host.size_bytes) == ("weights", 500 + 2 * 900, 500 + 2 * 1000)
    read = weights(TIED, devices=("cuda:0",), gpu_layers=5, cpu_experts=2, mapped=False)
    assert read == {"cpu": 500 + 2 * 900, "cuda:0": 2800}


def test_an_output_between_embedding_and_layers_stays_mapped_with_them():
    card = model(*BLOCKS, size=5000, input_bytes=500, output_bytes=500, output_inside=True)
    assert weights(card, devices=("cuda:0",), gpu_layers=3) == {"cpu": 500 + 500 + 2 * 1000, "cuda:0": 500 + 2 * 1000}
    assert weights(card, devices=("cuda:0",), gpu_layers=5)["cpu"] == 500


def test_layers_are_split_in_proportion():
    assert weights(TIED, devices=("cuda:0", "cuda:1"), gpu_layers=5, split=(3, 2)) == {
        "cpu": 500,
        "cuda:0": 3000,
        "cuda:1": 1600,
    }


def test_the_cache_lies_where_its_layer_does_unless_it_shall_not():
    both = {"devices": ("cuda:0",), "gpu_layers": 3}
    assert Estimator(TIED).at(context_length=256, placement=Placement(**both)).on("cuda:0")[1].size_bytes == 2 * 65536
    kept = Estimator(TIED).at(context_length=256, placement=Placement(**both, cache_on_device=False))
    assert {part.device for part in kept.parts if part.kind == "kv_cache"} == {"cpu"}


def test_what_was_measured_of_an_empty_worker_and_of_a_driver_counts():
    placement = Placement(devices=("cuda:0",), gpu_layers=5)
    estimate = Estimator(TIED, backend_overhead_bytes=7).at(
        context_length=256, placement=placement, device_overhead_bytes=9
    )
    assert {part.device: part.size_bytes for part in estimate.parts if part.kind == "overhead"} == {
        "cpu": 7,
        "cuda:0": 9,
    }


def test_more_context_never_takes_less():
    estimator = Estimator(TIED)
    totals = [estimator.at(context_length=tokens).total_bytes for tokens in (1, 256, 257, 4096, 10**6)]
    assert totals == sorted(totals)
