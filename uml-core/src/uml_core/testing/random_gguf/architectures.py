"""What tells the architectures apart: their keys, and the tensors of each layer, as llama.cpp wants them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from uml_core.testing.random_gguf import parts
from uml_core.testing.random_gguf.parts import Tensors
from uml_core.testing.random_gguf.sizes import Sizes

Keys = dict[str, object]


@frozen(kw_only=True)
class Architecture:
    """Own keys beside those that all have, the tensors of one layer, and what is usual of the sizes."""

    keys: Callable[[Sizes], Keys]
    layer: Callable[[Sizes, int], Tensors]
    usual: Sizes = field(factory=Sizes)


def lengths(sizes: Sizes) -> Keys:
    return {"attention.key_length": sizes.head_length, "attention.value_length": sizes.head_length}


def with_experts(sizes: Sizes) -> Keys:
    return {
        "expert_count": sizes.experts,
        "expert_used_count": sizes.experts_used,
        "expert_feed_forward_length": sizes.feed_forward,
    }


def with_state(sizes: Sizes) -> Keys:
    return {
        "ssm.conv_kernel": sizes.kernel,
        "ssm.inner_size": sizes.inner,
        "ssm.state_size": sizes.state,
        "ssm.time_step_rank": max(1, sizes.width // 16),
    }


def with_state_of_heads(sizes: Sizes) -> Keys:
    return with_state(sizes) | {"ssm.time_step_rank": sizes.state_heads, "ssm.group_count": sizes.groups}


def _llama(sizes: Sizes, _: int) -> Tensors:
    return parts.attention(sizes) | parts.norms(sizes, "ffn_norm") | parts.network(sizes)


def _qwen3(sizes: Sizes, _: int) -> Tensors:
    return parts.attention(sizes, normed=True) | parts.norms(sizes, "ffn_norm") | parts.network(sizes)


def _qwen3moe(sizes: Sizes, _: int) -> Tensors:
    return parts.attention(sizes, normed=True) | parts.norms(sizes, "ffn_norm") | parts.experts(sizes)


def _gemma3(sizes: Sizes, layer: int) -> Tensors:
    return _qwen3(sizes, layer) | parts.norms(sizes, "post_attention_norm", "post_ffw_norm")


def _gpt_oss(sizes: Sizes, _: int) -> Tensors:
    attention = parts.attention(sizes, biased=True) | {"attn_sinks.weight": (sizes.heads,)}
    return attention | parts.norms(sizes, "post_attention_norm") | parts.experts(sizes, biased=True)


def _deepseek2(sizes: Sizes, layer: int) -> Tensors:
    attention = parts.latent_attention(sizes) | parts.norms(sizes, "ffn_norm")
    if layer < sizes.dense:
        return attention | parts.network(sizes, feed_forward=4 * sizes.feed_forward)
    return attention | parts.experts(sizes) | parts.network(sizes, suffix="_shexp")


def _deepseek2_keys(sizes: Sizes) -> Keys:
    found = with_experts(sizes) | {
        "feed_forward_length": 4 * sizes.feed_forward,
        "leading_dense_block_count": sizes.dense,
        "expert_shared_count": 1,
        "expert_weights_scale": 1.0,
        "attention.kv_lora_rank": sizes.key_value_rank,
        "rope.dimension_count": sizes.rope_length,
    }
    if not sizes.plain_queries:
        found["attention.q_lora_rank"] = sizes.query_rank
    return found | _latent_lengths(sizes)


def _latent_lengths(sizes: Sizes) -> Keys:
    """What is kept: one vector and its turned part, or keys and values of each head."""
    heads: Keys = {"attention.key_length": sizes.head_length, "attention.value_length": sizes.value_length}
    if not sizes.absorbed:
        return heads | {"attention.head_count_kv": sizes.heads}
    return {
        "attention.head_count_kv": 1,
        "attention.key_length": sizes.key_value_rank + sizes.rope_length,
        "attention.value_length": sizes.key_value_rank,
        **{f"{key}_mla": length for key, length in heads.items()},
    }


def _mamba(sizes: Sizes, _: int) -> Tensors:
    return parts.state_space(sizes)


def _falcon_h1(sizes: Sizes, _: int) -> Tensors:
    both = parts.attention(sizes) | parts.state_space_of_heads(sizes)
    return both | {"ffn_norm": (sizes.width,)} | parts.network(sizes)


def _granite(sizes: Sizes, layer: int) -> Tensors:
    mixer = parts.attention(sizes) if _attends(sizes, layer) else parts.state_space_of_heads(sizes)
    return mixer | parts.norms(sizes, "ffn_norm") | parts.network(sizes)


def _granite_keys(sizes: Sizes) -> Keys:
    kv_heads = [sizes.kv_heads if _attends(sizes, layer) else 0 for layer in range(sizes.layers)]
    own = {"attention.head_count_kv": kv_heads, "attention.scale": 0.125}
    return lengths(sizes) | with_state_of_heads(sizes) | own


def _attends(sizes: Sizes, layer: int) -> bool:
    return (layer + 1) % sizes.attention_every == 0


def _no_heads(sizes: Sizes) -> Keys:
    return with_state(sizes) | {"attention.head_count": 0, "attention.head_count_kv": 0, "feed_forward_length": 0}


def _window(sizes: Sizes) -> Keys:
    return lengths(sizes) | {"attention.sliding_window": sizes.window}


MIXED = Sizes(experts_weights="MXFP4", experts_used=4, head_length=64)
ARCHITECTURES: dict[str, Architecture] = {
    "llama": Architecture(keys=lengths, layer=_llama),
    "qwen3": Architecture(keys=lengths, layer=_qwen3),
    "qwen3moe": Architecture(keys=lambda sizes: lengths(sizes) | with_experts(sizes), layer=_qwen3moe),
    "gemma3": Architecture(keys=_window, layer=_gemma3, usual=Sizes(layers=6, kv_heads=4, tied=True)),
    "gpt-oss": Architecture(keys=lambda sizes: _window(sizes) | with_experts(sizes), layer=_gpt_oss, usual=MIXED),
    "deepseek2": Architecture(keys=_deepseek2_keys, layer=_deepseek2, usual=Sizes(head_length=96)),
    "mamba": Architecture(keys=_no_heads, layer=_mamba, usual=Sizes(state=16)),
    "falcon-h1": Architecture(keys=lambda sizes: lengths(sizes) | with_state_of_heads(sizes), layer=_falcon_h1),
    "granitehybrid": Architecture(keys=_granite_keys, layer=_granite),
}
