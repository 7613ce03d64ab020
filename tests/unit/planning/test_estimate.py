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


def quantized(types, *, tied=False, input_bytes=576):
    return model(
        *BLOCKS,
        size=4600,
        input_bytes=input_bytes,
        output_bytes=100,
        tied=tied,
        type_bytes=types,
        embedding_length=32,
        vocabulary_size=32,
    )


@pytest.mark.parametrize(
    ("isa", "copied"), [(("avx2",), 3000), (("avx2", "avx512f"), 3000), (("neon",), 3900), (("sse4_2",), 0)]
)
def test_what_the_processor_likes_in_another_order_is_held_twice(isa, copied):
    card = quantized((("F32", 100), ("Q4_K", 3000), ("Q6_K", 900)), input_bytes=1000)
    (part,) = (part for part in Estimator(card, isa=isa).at(context_length=256).parts if part.kind == "weights")
    assert part.size_bytes - part.low_bytes == copied


def test_an_output_that_is_the_embedding_is_held_twice_if_its_type_is():
    card = quantized((("Q4_0", 3000),), tied=True)
    placement = Placement(mapped=False)
    (part,) = (
        part
        for part in Estimator(card, isa=("avx2",)).at(context_length=256, placement=placement).parts
        if part.kind == "weights"
    )
    assert part.size_bytes == part.low_bytes == 576 + 4000 + 100 + 576


def test_nothing_is_held_twice_beside_a_device_or_if_it_is_read():
    card = quantized((("Q4_0", 3000),), input_bytes=1000)
    for placement in (Placement(mapped=False), Placement(devices=("cuda:0",), gpu_layers=1)):
        found = Estimator(card, isa=("avx2",)).at(context_length=256, placement=placement).on("cpu")
        assert all(part.low_bytes == part.size_bytes for part in found if part.kind == "weights")


LLAMA_8B = model(*[FULL] * 32, embedding_length=4096, feed_forward_length=14_336, heads=32, vocabulary_size=128_256)
QWEN3_30B = model(
    *[Layer(kv_heads=4, key_length=128, value_length=128)] * 48,
    embedding_length=2048,
    feed_forward_length=768,
    heads=32,
    vocabulary_size=151_936,
    experts=128,
    experts_used=8,
)
DEEPSEEK_V3 = model(
    *[Layer(kind="latent", kv_heads=1, key_length=576)] * 61,
    embedding_length=7168,
    feed_forward_length=2048,
    heads=128,
    vocabulary_size=129_280,
    experts=256,
    experts_used=8,
)


@pytest.mark.parametrize(
    ("card", "mib"), [(LLAMA_8B, 120.0), (QWEN3_30B, 92.0), (DEEPSEEK_V3, 396.0)], ids=["llama", "experts", "latent"]
)
def test_what_is_set_aside_on_a_device_is_what_llama_cpp_said(card, mib):
    """Its own numbers for 4096 tokens in batches of 512, in MiB; one of the outputs."""
    placement = Placement(devices=("cuda:0",), gpu_layers=999)
    (part,) = (
        part
        for part in Estimator(card).at(context_length=4096, placement=placement).on("cuda:0")
        if part.kind == "compute"
    )
    assert part.size_bytes / 2**20 == pytest.approx(mib, rel=0.05)


def test_scores_that_are_written_out_grow_with_the_context():
    def compute(tokens, **placement):
        found = Estimator(LLAMA_8B).at(context_length=tokens, placement=Placement(**placement))
        return found.bytes_of("compute")

    scores = 512 * 32 * 4096 * 4
    assert compute(8192, flash_attention=False) - compute(4096, flash_attention=False) > scores
    assert compute(8192) - compute(4096) == 512 * 4096 * 2


def test_a_server_keeps_more_of_each_word_and_starts_with_less():
    alone, served = Estimator(LLAMA_8B), Estimator(LLAMA_8B, serves=True)
    more, less = (
        served.at(context_length=256).bytes_of(kind) - alone.at(context_length=256).bytes_of(kind)
        for kind in ("compute", "overhead")
    )
    assert more > 100 * 128_256
    assert less < 0


def test_words_without_merges_take_less():
    def kept(header_bytes):
        layer = Layer(kv_heads=1, key_length=64, value_length=64, weight_bytes=10**6)
        card = model(layer, size=10**6 + header_bytes, vocabulary_size=100_000, embedding_length=64)
        return Estimator(card).at(context_length=256).bytes_of("compute")

    assert kept(36 * 100_000) - kept(24 * 100_000) == 144 * 100_000


def stored(format, bits, *layers, parameters=10**6, **shape):
    return ModelCard(
        path=Path("/m"),
        format=format,
        files=(),
        size_bytes=parameters * bits // 8 + 7000,
        parameters=parameters,
        bits_per_weight=bits,
        shape=Shape(layers=layers, **shape),
    )


@pytest.mark.parametrize(("bits", "number"), [(32, 4), (16, 2), (4, 2)])
def test_torch_keeps_the_cache_in_the_numbers_it_calculates_with(bits, number):
    estimate = Estimator(stored("safetensors", bits, FULL, heads=8, embedding_length=1024)).at(context_length=1000)
    assert estimate.bytes_of("kv_cache") == 8 * 256 * number * 1000
    assert estimate.bytes_of("weights") == 10**6 * bits // 8


def test_onnx_runtime_packs_matrices_and_gives_nothing_of_a_grown_cache_back():
    layer = Layer(kv_heads=3, key_length=64, value_length=64, weight_bytes=2_216_448)
    card = stored(
        "onnx-genai", 5, *[layer] * 30, parameters=135_000_000, heads=9, embedding_length=576, vocabulary_size=49_152
    )
    short, long = (Estimator(card).at(context_length=tokens) for tokens in (512, 2048))
    assert short.bytes_of("weights") == pytest.approx(84.4e6 + 0.83 * 30 * 2_216_448, rel=0.01)
    assert short.bytes_of("compute") > 512 * 49_152 * 4
    grown = long.bytes_of("kv_cache") - short.bytes_of("kv_cache")
    assert long.bytes_of("compute") - short.bytes_of("compute") == 3 * grown


def test_a_picture_model_has_no_cache():
    card = ModelCard(path=Path("/m"), format="onnx", files=(), size_bytes=10**7, parameters=10**6)
    estimate = Estimator(card).at(context_length=4096)
    assert estimate.bytes_of("kv_cache") == 0
    assert {part.kind for part in estimate.parts} == {"weights", "compute", "overhead"}


def test_every_part_lies_in_its_interval():
    for card in (LLAMA_8B, QWEN3_30B, DEEPSEEK_V3, TIED, quantized((("Q4_0", 3000),))):
        for tokens in (1, 300, 100_000):
            for placement in (Placement(), Placement(devices=("cuda:0", "rocm:1"), gpu_layers=3, split=(1, 1))):
                for part in Estimator(card).at(context_length=tokens, parallel=2, placement=placement).parts:
                    assert 0 <= part.low_bytes <= part.size_bytes <= part.high_bytes
