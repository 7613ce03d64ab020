"""Bytes by layer, of files that the ``safetensors`` package wrote with the tensors' names of real families."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from uml_core.inspection import inspect, plugin
from uml_core.types import ModelCard

FORMATS = tuple(plugin.uml_model_formats())
WIDTH = 4
Names = dict[str, int]
Written = Callable[..., ModelCard]


def each(start: str, names: Mapping[str, int], layers: int = 2) -> Names:
    return {f"{start}.{layer}.{name}": size for layer in range(layers) for name, size in names.items()}


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """The card of a model of two layers with tensors of that many numbers of 2 bytes."""

    def write(tensors: Names, model_type: str = "llama", files: int = 1, **config: object) -> ModelCard:
        config = {"model_type": model_type, "hidden_size": WIDTH, "num_hidden_layers": 2, **config}
        (tmp_path / "config.json").write_text(json.dumps(config))
        arrays = {name: np.zeros(size, np.float16) for name, size in tensors.items()}
        names = [f"model-{one + 1:05}-of-{files:05}.safetensors" for one in range(files)]
        for number, name in enumerate(names if files > 1 else ["model.safetensors"]):
            save_file(dict(list(arrays.items())[number::files]), tmp_path / name)
        return inspect(tmp_path, FORMATS)

    return write


DENSE = {"self_attn.q_proj.weight": 3, "mlp.up_proj.weight": 5}
LLAMA = {"model.embed_tokens.weight": 7, "model.norm.weight": 1, **each("model.layers", DENSE)}
GPT2 = {"wte.weight": 7, "wpe.weight": 9, "ln_f.weight": 1, **each("h", {"attn.c_attn.weight": 3, "attn.bias": 5})}
T5 = {
    "shared.weight": 7,
    **each("encoder.block", {"layer.0.SelfAttention.q.weight": 30, "layer.1.DenseReluDense.wo.weight": 50}),
    **each("decoder.block", {"layer.0.SelfAttention.q.weight": 3, "layer.1.EncDecAttention.q.weight": 5}),
    "encoder.final_layer_norm.weight": 2,
    "decoder.final_layer_norm.weight": 1,
}
VISION = {
    "model.vision_tower.vision_model.embeddings.patch_embedding.weight": 20,
    "model.vision_tower.vision_model.post_layernorm.weight": 20,
    **each("model.vision_tower.vision_model.encoder.layers", {"mlp.fc1.weight": 100}),
    "model.language_model.embed_tokens.weight": 7,
    "model.language_model.norm.weight": 1,
    **each("model.language_model.layers", DENSE),
}
NEOX = {"gpt_neox.embed_in.weight": 7, "embed_out.weight": 6, "gpt_neox.final_layer_norm.bias": 1}
FAMILIES: dict[str, tuple[Names, dict[str, object], tuple[int, int, bool]]] = {
    "llama": (LLAMA, {}, (7, 1, True)),
    "llama with an output": (LLAMA | {"lm_head.weight": 6}, {}, (7, 7, False)),
    "not tied, and without a head": (LLAMA, {"tie_word_embeddings": False}, (7, 1, False)),
    "gpt2": (GPT2, {"model_type": "gpt2"}, (7, 1, True)),
    "gpt_neox": (NEOX | each("gpt_neox.layers", DENSE), {"model_type": "gpt_neox"}, (7, 7, False)),
    "mamba": (
        {"backbone.embeddings.weight": 7, "backbone.norm_f.weight": 1, **each("backbone.layers", {"mixer.A_log": 8})},
        {"model_type": "mamba"},
        (7, 1, True),
    ),
    "chatglm": (
        {
            "transformer.embedding.word_embeddings.weight": 7,
            "transformer.output_layer.weight": 6,
            "transformer.encoder.final_layernorm.weight": 1,
            **each("transformer.encoder.layers", {"mlp.dense_h_to_4h.weight": 8}),
        },
        {"model_type": "chatglm"},
        (7, 7, False),
    ),
    "t5": (T5, {"model_type": "t5", "is_encoder_decoder": True}, (7, 3, True)),
    "llava": (
        VISION,
        {"model_type": "llava", "text_config": {"model_type": "llama", "hidden_size": WIDTH, "num_hidden_layers": 2}},
        (7, 1, True),
    ),
    "bert": (
        {"bert.embeddings.word_embeddings.weight": 7, "bert.embeddings.LayerNorm.weight": 4}
        | each("bert.encoder.layer", {"attention.self.query.weight": 3, "output.dense.weight": 5}),
        {"model_type": "bert"},
        (7, 0, False),
    ),
    "a layer that guesses ahead": (
        LLAMA | {"model.layers.2.mlp.up_proj.weight": 50, "mtp.layers.0.w": 60},
        {},
        (7, 1, True),
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_byte_at_its_place(written, family):
    tensors, config, (embedding, output, tied) = FAMILIES[family]
    shape = written(tensors, **config).shape
    assert [layer.weight_bytes for layer in shape.layers] == [16, 16]
    assert len({id(layer) for layer in shape.layers}) == 1
    assert (shape.input_bytes, shape.output_bytes, shape.tied) == (2 * embedding, 2 * output, tied)


EXPERTS = {
    "mixtral": {"block_sparse_moe.experts.0.w1.weight": 3, "block_sparse_moe.experts.1.w1.weight": 3},
    "qwen3_moe": {"mlp.experts.0.gate_proj.weight": 3, "mlp.experts.1.up_proj.weight": 3},
    "gpt_oss": {"mlp.experts.gate_up_proj_blocks": 4, "mlp.experts.gate_up_proj_scales": 2},
    "granitemoe": {"block_sparse_moe.input_linear.weight": 4, "block_sparse_moe.output_linear.weight": 2},
    "jamba": {"feed_forward.experts.0.down_proj.weight": 6},
}


@pytest.mark.parametrize("family", EXPERTS)
def test_experts_are_counted_apart(written, family):
    always = {"mlp.shared_experts.up_proj.weight": 5, "mlp.gate.weight": 1, "block_sparse_moe.router.weight": 1}
    shape = written(each("model.layers", {**always, **EXPERTS[family]}), family).shape
    assert [(layer.weight_bytes, layer.expert_bytes) for layer in shape.layers] == [(2 * 13, 2 * 6)] * 2


def test_quantized_layers_count_with_their_scales(written):
    packed = {"mlp.up_proj.qweight": 3, "mlp.up_proj.scales": 2, "mlp.up_proj.qzeros": 2, "mlp.up_proj.g_idx": 1}
    head = {"lm_head.qweight": 4, "lm_head.scales": 2}
    shape = written(each("model.layers", packed) | head, quantization_config={"quant_method": "gptq", "bits": 4}).shape
    assert [layer.weight_bytes for layer in shape.layers] == [16, 16]
    assert (shape.output_bytes, shape.tied) == (12, False)


def test_all_files_of_a_model_count(written, tmp_path):
    card = written(LLAMA, files=2)
    assert [layer.weight_bytes for layer in card.shape.layers] == [16, 16]
    assert card.shape.tied
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    shape = inspect(tmp_path, FORMATS).shape
    assert sum(layer.weight_bytes for layer in shape.layers) < 32
    assert not shape.tied, "the output may be in the file that is missing"


def test_layers_of_unknown_names_have_no_bytes(written):
    shape = written({"net.0.w": 3, "layers.x.w": 3, "layers.99999.w": 3, "sublayers.0.w": 3}).shape
    assert [layer.weight_bytes for layer in shape.layers] == [0, 0]
    assert (shape.input_bytes, shape.output_bytes, shape.tied) == (0, 0, False)
