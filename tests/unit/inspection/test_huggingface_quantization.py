"""Names of quantizations, and how many weights packed tensors stand for."""

from __future__ import annotations

import json

import pytest

from uml_core.inspection import safetensors
from uml_core.inspection.huggingface import make_config, read_quantization
from uml_core.testing.safetensors import write_safetensors

NAMES = [
    ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True}, "gptq-4bit"),
    ({"quant_method": "gptq", "bits": 8}, "gptq-8bit"),
    ({"quant_method": "awq", "bits": 4, "version": "gemm", "zero_point": True}, "awq-4bit"),
    ({"quant_method": "awq", "w_bit": 4}, "awq-4bit"),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "bnb-nf4"),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bnb-fp4"),
    ({"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False}, "bnb-int8"),
    ({"load_in_8bit": True}, "bnb-int8"),
    ({"quant_method": "exl2", "version": "0.0.11", "bits": 4.0, "head_bits": 6}, "exl2-4.0bpw"),
    ({"quant_method": "exl2", "bits": 4.65}, "exl2-4.65bpw"),
    ({"quant_method": "exl3", "version": "0.0.1", "bits": 4}, "exl3-4.0bpw"),
    ({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}, "FP8"),
    ({"quant_method": "fbgemm_fp8"}, "FP8"),
    ({"quant_method": "mxfp4"}, "MXFP4"),
    (
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 128}}},
        },
        "int4",
    ),
    (
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
        },
        "FP8",
    ),
    ({"quant_method": "compressed-tensors"}, "compressed-tensors"),
    ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "int4"),
    ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8WeightOnlyConfig"}}}, "int8"),
    ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Float8WeightOnlyConfig"}}}, "FP8"),
    ({"quant_method": "quanto", "weights": "int8"}, "int8"),
    ({"quant_method": "quanto", "weights": "float8"}, "FP8"),
    ({"quant_method": "hqq", "nbits": 4}, "hqq-4bit"),
    ({"quant_method": "aqlm"}, "aqlm"),
    ({"quant_algo": "NVFP4"}, "NVFP4"),
    ({"quant_method": "\x1b[2J"}, "\N{REPLACEMENT CHARACTER}[2j"),
    ({}, None),
    ({"bits": 4}, None),
]


@pytest.mark.parametrize(("told", "name"), NAMES)
def test_names(told, name):
    found = read_quantization(make_config({"quantization_config": told}).top)
    assert (found and found.name) == name


def test_mlx_has_a_place_of_its_own():
    told = {"group_size": 64, "bits": 4}
    found = read_quantization(make_config({"quantization": told, "quantization_config": told}).top)
    assert found
    assert found.name == "mlx-4bit"


def test_the_text_part_may_be_the_quantized_one():
    config = {"text_config": {"quantization_config": {"quant_method": "gptq", "bits": 4}}}
    found = read_quantization(make_config(config).top)
    assert found
    assert found.name == "gptq-4bit"


# One layer of 256 inputs and 512 outputs, as each scheme stores it, and a norm of 256 in F16
PACKED = {
    "gptq": (
        {"quant_method": "gptq", "bits": 4},
        {
            "l.qweight": ("I32", (32, 512)),
            "l.qzeros": ("I32", (2, 64)),
            "l.scales": ("F16", (2, 512)),
            "l.g_idx": ("I32", (256,)),
        },
    ),
    "gptq in 8 bits": (
        {"quant_method": "gptq", "bits": 8},
        {"l.qweight": ("I32", (64, 512)), "l.qzeros": ("I32", (2, 128)), "l.scales": ("F16", (2, 512))},
    ),
    "awq": (
        {"quant_method": "awq", "bits": 4},
        {"l.qweight": ("I32", (256, 64)), "l.qzeros": ("I32", (2, 64)), "l.scales": ("F16", (2, 512))},
    ),
    "bitsandbytes nf4": (
        {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        {
            "l.weight": ("U8", (65536, 1)),
            "l.weight.absmax": ("U8", (2048,)),
            "l.weight.nested_absmax": ("F32", (8,)),
            "l.weight.nested_quant_map": ("F32", (256,)),
            "l.weight.quant_map": ("F32", (16,)),
            "l.weight.quant_state.bitsandbytes__nf4": ("U8", (77,)),
        },
    ),
    "bitsandbytes int8": (
        {"quant_method": "bitsandbytes", "load_in_8bit": True},
        {"l.weight": ("I8", (512, 256)), "l.SCB": ("F32", (512,)), "l.weight_format": ("U8", ())},
    ),
    "exl2": (
        {"quant_method": "exl2", "bits": 4.0},
        {
            "l.q_weight": ("I32", (36, 512)),
            "l.q_invperm": ("I16", (256,)),
            "l.q_scale": ("I32", (8, 64)),
            "l.q_scale_max": ("F16", (8,)),
            "l.q_groups": ("I16", (16,)),
        },
    ),
    "exl3": (
        {"quant_method": "exl3", "bits": 4.0},
        {"l.trellis": ("I16", (16, 32, 64)), "l.suh": ("F16", (256,)), "l.svh": ("F16", (512,))},
    ),
    "fp8": (
        {"quant_method": "fp8"},
        {"l.weight": ("F8_E4M3", (512, 256)), "l.weight_scale_inv": ("F32", (4, 2))},
    ),
    "mxfp4": (
        {"quant_method": "mxfp4"},
        {"l.gate_up_proj_blocks": ("U8", (512, 8, 16)), "l.gate_up_proj_scales": ("U8", (512, 8))},
    ),
    "compressed-tensors": (
        {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 4, "type": "int"}}}},
        {"l.weight_packed": ("I32", (512, 32)), "l.weight_scale": ("BF16", (512, 2)), "l.weight_shape": ("I64", (2,))},
    ),
    "hqq": ({"quant_method": "hqq", "nbits": 4}, {"l.W_q": ("U8", (65536,)), "l.scale": ("F16", (2048, 1))}),
}


@pytest.fixture
def read(tmp_path):
    def read(config, tensors):
        (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], **config}))
        write_safetensors(tmp_path / "model.safetensors", {"norm.weight": ("F16", (256,)), **tensors})
        return safetensors.read(tmp_path)

    return read


@pytest.mark.parametrize("name", PACKED)
def test_packed_weights_count_as_what_they_stand_for(read, name):
    config, tensors = PACKED[name]
    card = read({"quantization_config": config}, tensors)
    assert card.parameters == 256 * 512 + 256
    assert 3.9 < card.bits_per_weight < 9


def test_mlx_packs_into_unsigned_numbers(read):
    tensors = {"l.weight": ("U32", (512, 32)), "l.scales": ("F16", (512, 4)), "l.biases": ("F16", (512, 4))}
    card = read({"quantization": {"group_size": 64, "bits": 4}}, tensors)
    assert (card.parameters, card.quantization) == (256 * 512 + 256, "mlx-4bit")


@pytest.mark.parametrize(
    ("name", "told", "quantization"),
    [
        ("quantize_config.json", {"bits": 4, "group_size": 128}, "gptq-4bit"),
        ("quant_config.json", {"w_bit": 4, "q_group_size": 128}, "awq-4bit"),
        ("hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}}, "FP8"),
    ],
)
def test_what_stood_beside_the_configuration_once(read, tmp_path, name, told, quantization):
    (tmp_path / name).write_text(json.dumps(told))
    assert read({}, {}).quantization == quantization


@pytest.mark.parametrize(
    ("tensors", "name", "count"),
    [
        ({"a.weight": ("F32", (100, 10))}, "FP32", 1256),
        ({"a.weight": ("BF16", (100, 10))}, "BF16", 1256),
        ({"a.weight": ("F8_E5M2", (100, 10))}, "FP8", 1256),
        ({"a.weight": ("F16", (100, 10)), "e.position_ids": ("I64", (1, 512))}, "FP16", 1256),
        ({"b.running_mean": ("F32", (9,)), "b.num_batches_tracked": ("I64", ())}, "FP16", 256),
        ({"h.0.attn.bias": ("F32", (1, 1, 64, 64)), "h.0.attn.c_attn.bias": ("F16", (9,))}, "FP16", 265),
    ],
)
def test_plain_weights_are_called_by_what_most_of_them_are(read, tensors, name, count):
    card = read({}, tensors)
    assert (card.quantization, card.parameters) == (name, count)
