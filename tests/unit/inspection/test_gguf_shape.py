"""What each layer keeps, for the headers of real models; the figures are what llama.cpp makes room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.gguf import read
from uml_core.testing.gguf import write_gguf
from uml_core.types import Layer, Shape

KINDS = {"full": "F", "sliding": "s", "latent": "L", "recurrent": "r", "none": "-"}
Shaped = Callable[..., Shape]


@pytest.fixture
def shaped(tmp_path: Path) -> Shaped:
    """The shape of a model of that architecture, from the keys of its own without its name."""

    def shape(architecture: str, layers: int, facts: Mapping[str, object]) -> Shape:
        own = {"block_count": layers, "embedding_length": 1024, **facts}
        metadata = {"general.architecture": architecture, **{f"{architecture}.{key}": own[key] for key in own}}
        source = read(write_gguf(tmp_path / "m.gguf", metadata, tensors={"w": (32,)}))
        assert source.shape
        assert len(source.shape.layers) == layers
        return source.shape

    return shape


def heads(count: int, kv: int | list[int], length: int | None = None) -> dict[str, object]:
    said: dict[str, object] = {"attention.head_count": count, "attention.head_count_kv": kv}
    return said | ({"attention.key_length": length, "attention.value_length": length} if length else {})


def kinds(shape: Shape) -> str:
    return "".join(KINDS[layer.kind] for layer in shape.layers)


def token_bytes(shape: Shape) -> int:
    """Of a token in the cache, at 16 bits."""
    return sum(2 * layer.kv_heads * (layer.key_length + layer.value_length) for layer in shape.layers)


def test_llama_3_8b_takes_128_kib_a_token(shaped):
    shape = shaped(
        "llama", 32, {**heads(32, 8), "embedding_length": 4096, "feed_forward_length": 14336, "vocab_size": 128256}
    )
    assert token_bytes(shape) == 128 * 1024
    assert shape.layers == (Layer(kind="full", kv_heads=8, key_length=128, value_length=128),) * 32
    assert len({id(layer) for layer in shape.layers}) == 1
    assert (shape.embedding_length, shape.feed_forward_length, shape.heads) == (4096, 14336, 32)
    assert (shape.vocabulary_size, shape.experts, shape.experts_used) == (128256, 0, 0)


def test_qwen3_06b_says_how_long_its_keys_are_and_takes_112_kib_a_token(shaped):
    shape = shaped("qwen3", 28, heads(16, 8, 128))
    assert token_bytes(shape) == 112 * 1024


def test_without_key_value_heads_all_heads_have_their_own(shaped):
    shape = shaped("gpt2", 12, {"attention.head_count": 12, "embedding_length": 768})
    assert shape.layers[0] == Layer(kind="full", kv_heads=12, key_length=64, value_length=64)


def test_heads_of_each_layer(shaped):
    shape = shaped("deci", 4, {**heads(32, [8, 0, 1, 8]), "embedding_length": 4096})
    assert kinds(shape) == "F-FF"
    assert [layer.kv_heads for layer in shape.layers] == [8, 0, 1, 8]
    assert shape.layers[0] is shape.layers[3]


@pytest.mark.parametrize(
    ("architecture", "layers", "said", "expected"),
    [
        ("gemma2", 6, {}, "sFsFsF"),
        ("gemma3", 13, {"attention.sliding_window": 512}, "sssssFsssssFs"),
        ("gemma3", 3, {}, "FFF"),
        ("gpt-oss", 4, {"attention.sliding_window": 128}, "sFsF"),
        ("cohere2", 5, {"attention.sliding_window": 4096}, "sssFs"),
        ("cohere2moe", 5, {"attention.sliding_window": 4096}, "FsssF"),
        ("olmo2", 5, {"attention.sliding_window": 4096}, "sssFs"),
        ("olmo2", 2, {}, "FF"),
        ("llama4", 5, {}, "sssFs"),
        ("llama4", 5, {"attention.sliding_window": 0}, "FFFFF"),
        ("smallthinker", 5, {"attention.sliding_window": 1}, "FsssF"),
        ("smallthinker", 2, {}, "FF"),
        ("exaone4", 30, {"attention.sliding_window": 4096}, "F" * 30),
        ("exaone4", 64, {}, "sssF" * 16),
        ("phi3", 3, {"attention.sliding_window": 2047}, "FFF"),  # no engine uses it
        ("llama", 3, {"attention.sliding_window": 4096}, "FFF"),  # Mistral's first
        ("gemma3", 4, {"attention.sliding_window": 512, "attention.sliding_window_pattern": 2}, "sFsF"),
        ("gemma3", 3, {"attention.sliding_window": 512, "attention.sliding_window_pattern": 1}, "FFF"),
        ("gemma3", 3, {"attention.sliding_window": 512, "attention.sliding_window_pattern": 0}, "sss"),
        ("olmo2", 3, {"attention.sliding_window": 9, "attention.sliding_window_pattern": [False, True, True]}, "Fss"),
        ("new", 3, {"attention.sliding_window": 9, "attention.sliding_window_pattern": [True, False]}, "sFF"),
        ("new", 3, {"attention.sliding_window_pattern": [True, False, True]}, "FFF"),
        ("new", 3, {"attention.sliding_window": 9}, "FFF"),
    ],
)
def test_sliding_windows(shaped, architecture, layers, said, expected):
    assert kinds(shaped(architecture, layers, {**heads(8, 2), **said})) == expected


@pytest.mark.parametrize(
    ("architecture", "said", "window"),
    [
        ("gemma2", {}, 4096),
        ("gemma2", {"attention.sliding_window": 1024}, 1024),
        ("gpt-oss", {"attention.sliding_window": 128}, 128),
        ("llama4", {"attention.sliding_window": 77}, 8192),
        ("smallthinker", {"attention.sliding_window": 77}, 4096),
    ],
)
def test_the_window_is_the_files_or_the_architectures(shaped, architecture, said, window):
    assert {layer.window for layer in shaped(architecture, 4, {**heads(8, 2), **said}).layers} == {window, None}


def test_sliding_layers_may_have_other_heads(shaped):
    said = {
        **heads(8, [16, 16, 4], 512),
        "attention.key_length_swa": 256,
        "attention.value_length_swa": 128,
        "attention.sliding_window": 1024,
        "attention.sliding_window_pattern": [True, True, False],
    }
    sliding = Layer(kind="sliding", kv_heads=16, key_length=256, value_length=128, window=1024)
    assert shaped("gemma4", 3, said).layers == (
        sliding,
        sliding,
        Layer(kind="full", kv_heads=4, key_length=512, value_length=512),
    )


def test_layers_that_use_the_keys_of_others_keep_none(shaped):
    said = {**heads(8, 2), "attention.sliding_window": 512}
    assert kinds(shaped("gemma3n", 35, said)) == "ssssF" * 4 + "-" * 15
    shared = {"attention.shared_kv_layers": 2, "attention.sliding_window_pattern": [True] * 3 + [False]}
    assert kinds(shaped("gemma4", 4, said | shared)) == "ss--"


def test_layers_that_guess_ahead_keep_nothing(shaped):
    assert kinds(shaped("glm4moe", 4, {**heads(8, 2), "nextn_predict_layers": 1})) == "FFF-"


MLA = {
    **heads(16, 1),
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.kv_lora_rank": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
}


def test_deepseek_keeps_one_short_vector_a_token(shaped):
    shape = shaped("deepseek2", 27, MLA)
    assert set(shape.layers) == {Layer(kind="latent", kv_heads=1, key_length=512 + 64)}


def test_an_older_deepseek_file_keeps_keys_and_values_of_all_heads(shaped):
    said = {**heads(16, 16), "attention.key_length": 192, "attention.value_length": 128, "attention.kv_lora_rank": 512}
    assert set(shaped("deepseek2", 27, said).layers) == {
        Layer(kind="full", kv_heads=16, key_length=192, value_length=128)
    }


def test_an_indexer_keeps_a_key_of_its_own(shaped):
    said = {**MLA, "attention.indexer.key_length": 128}
    assert {layer.key_length for layer in shaped("deepseek32", 3, said).layers} == {576 + 128}
    some = shaped("glm-dsa", 3, {**said, "attention.indexer.types": [1, 0, 1]})
    assert [layer.key_length for layer in some.layers] == [704, 576, 704]


SSM = {"ssm.conv_kernel": 4, "ssm.inner_size": 1536, "ssm.state_size": 16, "ssm.time_step_rank": 48}
NO_HEADS = {"attention.head_count": 0, "feed_forward_length": 0}


@pytest.mark.parametrize(
    ("architecture", "said", "elements"),
    [
        ("mamba", {**SSM, **NO_HEADS}, 3 * 1536 + 1536 * 16),
        (
            "mamba2",
            {**SSM, **NO_HEADS, "ssm.state_size": 128, "ssm.group_count": 1},
            3 * (1536 + 2 * 128) + 1536 * 128,
        ),
        ("rwkv6", {**NO_HEADS, "wkv.head_size": 64}, 2 * 1024 + 1024 * 64),
        ("rwkv7", {**NO_HEADS, "wkv.head_size": 64, "token_shift_count": 2}, 2 * 1024 + 1024 * 64),
        ("rwkv6qwen2", {**NO_HEADS, "wkv.head_size": 64, "token_shift_count": 1}, 1024 + 1024 * 64),
    ],
)
def test_a_recurrent_model_keeps_the_same_whatever_it_has_read(shaped, architecture, said, elements):
    shape = shaped(architecture, 24, said)
    assert set(shape.layers) == {Layer(kind="recurrent", state_elements=elements)}


@pytest.mark.parametrize(
    ("architecture", "said", "expected", "elements"),
    [
        ("jamba", {**SSM, **heads(8, [0, 0, 2, 0])}, "rrFr", 3 * 1536 + 1536 * 16),
        (
            "granitehybrid",
            {**SSM, **heads(8, [0, 2, 0, 0]), "ssm.group_count": 1},
            "rFrr",
            3 * (1536 + 32) + 1536 * 16,
        ),
        (
            "qwen3next",
            {**SSM, **heads(16, 2, 256), "ssm.inner_size": 4096, "ssm.state_size": 128, "ssm.group_count": 16},
            "rrrF",
            3 * (4096 + 2 * 16 * 128) + 4096 * 128,
        ),
        ("qwen3next", {**SSM, **heads(16, 2, 256), "full_attention_interval": 2}, "rFrF", 3 * 1536 + 1536 * 16),
        (
            "qwen35",
            {**SSM, **heads(16, 2), "attention.recurrent_layers": [True, False, True, True]},
            "rFrr",
            3 * 1536 + 1536 * 16,
        ),
        (
            "nemotron_h",
            {**SSM, **heads(8, [0, 0, 2, 0]), "feed_forward_length": [0, 4096, 0, 0]},
            "r-Fr",
            3 * 1536 + 1536 * 16,
        ),
        ("lfm2", {**heads(8, [0, 2, 0, 2]), "shortconv.l_cache": 3}, "rFrF", 2 * 1024),
        (
            "lfm2",
            {**heads(8, [0, 2, 0, 2]), "shortconv.l_cache": 3, "attention.sliding_window": 128},
            "rsrs",
            2 * 1024,
        ),
        (
            "kimi-linear",
            {**MLA, **heads(32, [0, 0, 0, 1]), "kda.head_dim": 128, "ssm.conv_kernel": 4},
            "rrrL",
            3 * 3 * 32 * 128 + 32 * 128 * 128,
        ),
        ("minimax-01", {**heads(64, 8, 128), "full_attention_interval": 4}, "rrrF", 64 * 128 * 128),
    ],
)
def test_hybrids(shaped, architecture, said, expected, elements):
    shape = shaped(architecture, 4, said)
    assert kinds(shape) == expected
    assert {layer.state_elements for layer in shape.layers if layer.kind == "recurrent"} == {elements}
    assert {layer.state_elements for layer in shape.layers if layer.kind != "recurrent"} == {0}


def test_attention_and_a_state_in_one_layer(shaped):
    shape = shaped("falcon-h1", 3, {**SSM, **heads(8, 2), "ssm.group_count": 1})
    assert set(shape.layers) == {
        Layer(kind="full", kv_heads=2, key_length=128, value_length=128, state_elements=3 * (1536 + 32) + 1536 * 16)
    }


def test_encoders_keep_nothing(shaped):
    assert kinds(shaped("bert", 3, heads(12, 12))) == "---"


def test_a_loop_over_all_layers_keeps_each_round(shaped, tmp_path):
    metadata = {"general.architecture": "nanbeige", "nanbeige.block_count": 2, "nanbeige.embedding_length": 64}
    metadata |= {"nanbeige.attention.head_count": 4, "nanbeige.num_loops": 3}
    source = read(write_gguf(tmp_path / "m.gguf", metadata, tensors={"w": (32,)}))
    assert kinds(source.shape) == "F" * 6


def test_experts(shaped):
    said = {
        **heads(32, 4, 128),
        "feed_forward_length": 6144,
        "expert_feed_forward_length": 768,
        "expert_count": 128,
        "expert_used_count": 8,
    }
    shape = shaped("qwen3moe", 48, said)
    assert (shape.experts, shape.experts_used, shape.feed_forward_length) == (128, 8, 768)
    mixtral = shaped("llama", 32, {**heads(32, 8), "feed_forward_length": 14336, "expert_count": 8})
    assert (mixtral.experts, mixtral.feed_forward_length) == (8, 14336)


def test_feed_forward_networks_and_experts_of_each_layer(shaped):
    said = {**heads(8, 2), "feed_forward_length": [512, 2048], "expert_count": 4, "expert_used_count": [1, 3]}
    shape = shaped("new", 2, said)
    assert (shape.feed_forward_length, shape.experts_used) == (2048, 3)


@pytest.mark.parametrize(
    ("metadata", "tensors", "size"),
    [
        ({"tokenizer.ggml.tokens": ["a", "b", "c"], "llama.vocab_size": 9}, {"w": (32,)}, 3),
        ({"tokenizer.ggml.tokens": ["token"] * 5000}, {"w": (32,)}, 5000),
        ({"llama.vocab_size": 9}, {"token_embd.weight": (8, 7)}, 9),
        ({}, {"token_embd.weight": (8, 7)}, 7),
        ({}, {"token_embd.weight": (8,)}, 0),
    ],
)
def test_the_vocabulary(tmp_path, metadata, tensors, size):
    usual = {"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 8}
    shape = read(write_gguf(tmp_path / "m.gguf", usual | metadata, tensors=tensors)).shape
    assert shape.vocabulary_size == size


def test_without_a_count_of_layers_there_is_no_shape(tmp_path):
    for metadata in ({}, {"x.block_count": 0, "x.embedding_length": 8}, {"x.block_count": 2}):
        path = write_gguf(tmp_path / "m.gguf", {"general.architecture": "x", **metadata}, tensors={"w": (32,)})
        assert read(path).shape is None


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("block_count", 5000, "not a count of layers, of which 4096 are allowed"),
        ("block_count", 2**32 - 1, "not a count of layers"),
        ("block_count", [2], "not a count"),
        ("embedding_length", "wide", "not a count"),
        ("attention.head_count_kv", [1, 2], "not a count for each of 3 layers"),
        ("attention.head_count_kv", [1] * 4000, "not a count for each of 3 layers"),
        ("attention.head_count", ["1", "2", "3"], "not a count for each of 3 layers"),
        ("attention.head_count", 1.5, "not a count"),
        ("attention.key_length", True, "not a count"),
        ("attention.recurrent_layers", [True], "not a count for each of 3 layers"),
        ("attention.sliding_window", [1], "not a count"),
        ("attention.causal", 0, "not true or false"),
        ("pooling_type", "mean", "not a count"),
        ("ssm.conv_kernel", "4", "not a count"),
        ("expert_used_count", [1], "not a count for each"),
    ],
)
def test_dimensions_of_another_type(shaped, key, value, what):
    with pytest.raises(InvalidModelFileError, match=rf"its 'x\.{key}' is {what}"):
        shaped("x", 3, {**heads(8, 2), key: value})


def weighed(path: Path, tensors: Mapping[str, list[int]], architecture: str = "llama", **facts: int) -> Shape:
    own = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4, **facts}
    metadata = {"general.architecture": architecture, **{f"{architecture}.{key}": own[key] for key in own}}
    shape = read(write_gguf(path / "m.gguf", metadata, tensors=tensors)).shape
    assert shape
    return shape


def test_the_bytes_of_each_layer(tmp_path):
    tensors = {"token_embd.weight": [64, 10], "token_embd_norm.weight": [64], "rope_freqs.weight": [8]}
    tensors |= {"blk.0.ffn_up.weight": [64, 3], "blk.1.ffn_up.weight": [64, 5], "blk.1.attn_output.weight": [64]}
    shape = weighed(tmp_path, tensors | {"output.weight": [64, 10], "output_norm.weight": [64]})
    assert [layer.weight_bytes for layer in shape.layers] == [4 * 64 * 3, 4 * 64 * 6]
    assert (shape.input_bytes, shape.output_bytes, shape.tied) == (4 * 64 * 10, 4 * 64 * 11, False)


def test_where_the_output_lies_in_the_file(tmp_path):
    embedding, output = {"token_embd.weight": [64, 10]}, {"output.weight": [64, 10]}
    block = {"blk.0.ffn_up.weight": [64, 3]}
    assert weighed(tmp_path, embedding | output | block).output_inside
    for others in (embedding | block | output, output | embedding | block, embedding | block):
        assert not weighed(tmp_path, others).output_inside


@pytest.mark.parametrize("name", ["ffn_up_exps", "ffn_gate_up_exps", "ffn_down_chexps", "ffn_gate.7"])
def test_experts_are_counted_apart_and_shared_ones_are_not(tmp_path, name):
    tensors = {f"blk.1.{name}.weight": [64, 3], f"blk.1.{name}.bias": [64]}
    tensors |= {"blk.1.ffn_up_shexp.weight": [64, 5], "blk.1.ffn_gate_inp.weight": [64], "blk.0.ffn_up.weight": [64]}
    shape = weighed(tmp_path, tensors)
    assert [layer.expert_bytes for layer in shape.layers] == [0, 4 * 64 * 4]
    assert [layer.weight_bytes for layer in shape.layers] == [4 * 64, 4 * 64 * 10]


def test_layers_that_read_and_layers_that_write_of_one_number_count_as_one(tmp_path):
    tensors = {"enc.blk.1.ffn_up.weight": [64, 3], "dec.blk.1.ffn_up.weight": [64, 2], "dec.output_norm.weight": [64]}
    shape = weighed(tmp_path, tensors, "t5")
    assert [layer.weight_bytes for layer in shape.layers] == [0, 4 * 64 * 5]
    assert shape.output_bytes == 4 * 64


def test_layers_of_a_second_round_have_no_weights_of_their_own(tmp_path):
    tensors = {"blk.0.ffn_up.weight": [64, 3], "blk.1.ffn_up.weight": [64, 3]}
    shape = weighed(tmp_path, tensors, "nanbeige", num_loops=2)
    assert [layer.weight_bytes for layer in shape.layers] == [4 * 64 * 3] * 2 + [0] * 2


def test_only_a_model_that_writes_uses_its_embedding_twice(tmp_path):
    tensors = {"token_embd.weight": [64, 10]}
    assert weighed(tmp_path, tensors).tied
    assert not weighed(tmp_path, tensors, "bert").tied
    assert not weighed(tmp_path, {"blk.0.ffn_up.weight": [64]}).tied


@pytest.mark.parametrize("name", ["blk.2.ffn_up", "blk.x.ffn_up", "blk.-1.ffn_up", "blk.", "a.blk.0.ffn_up", "blk.²."])
def test_a_tensor_of_no_layer_belongs_to_none(tmp_path, name):
    assert {layer.weight_bytes for layer in weighed(tmp_path, {f"{name}.weight": [64]}).layers} == {0}


def test_the_types_of_matrices_are_counted_without_what_is_no_matrix(tmp_path):
    kinds = {"blk.0.ffn_up.weight": "Q4_0", "blk.1.ffn_up_exps.weight": "Q4_0", "output.weight": "Q8_0"}
    kinds |= {"token_embd.weight": "F16", "blk.0.attn_k_b.weight": "Q5_0", "blk.0.ffn_gate_inp.bias": "F16"}
    deep = ("blk.1.ffn_up_exps.weight", "blk.0.attn_k_b.weight")
    shapes = {name: [64, 2, 3] if name in deep else [64, 2] for name in kinds}
    metadata = {"general.architecture": "llama", "llama.block_count": 2, "llama.embedding_length": 64}
    metadata |= {"llama.attention.head_count": 4}
    tensors = shapes | {"blk.0.attn_norm.weight": [64]}
    shape = read(write_gguf(tmp_path / "m.gguf", metadata, tensors=tensors, tensor_types=kinds)).shape
    assert shape
    assert dict(shape.type_bytes) == {"Q4_0": (2 + 2 * 3) * 2 * 18, "Q8_0": 2 * 2 * 34}
