"""The dimensions that memory depends on, from the many names that configurations have for them."""

from __future__ import annotations

from typing import Any

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.huggingface.families import ENCODERS
from uml_core.inspection.huggingface.layers import Work, works
from uml_core.inspection.huggingface.states import state_elements
from uml_core.types import Layer, Shape

LAYERS = 4096
WIDTH = ("hidden_size", "n_embd", "d_model", "dim", "n_embed", "model_dim", "hidden_dim")
DEPTH = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_transformer_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "num_query_heads")
KV_HEADS = ("num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num", "num_key_value_groups")
KV_HEADS_BY_LAYER = ("num_key_value_heads_per_layer", "num_key_value_heads", "num_kv_heads")
FEED_FORWARD = ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size", "decoder_ffn_dim", "block_ff_dim")
WINDOW = ("sliding_window", "attention_chunk_size", "attention_window_size")
EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts", "num_routed_experts")
EXPERTS_USED = ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_topk", "moe_top_k", "top_k")


def read_shape(text: Facts, *, keeps: bool = True) -> Shape | None:
    """The shape of the part of a model that writes, or None where the configuration doesn't give it.

    :param keeps: it keeps something of the past, unlike an encoder
    :raises InvalidModelFileError: it has dimensions that no model has
    """
    width, depth = text.count(*WIDTH), _depth(text)
    if not width or not depth:
        return None
    experts = _nested_count(text, EXPERTS, "ffn_config") or 0
    return Shape(
        embedding_length=width,
        feed_forward_length=_feed_forward(text, width, experts),
        heads=_heads(text),
        vocabulary_size=text.count("vocab_size", "padded_vocab_size", "n_vocab") or 0,
        experts=experts,
        experts_used=(_nested_count(text, EXPERTS_USED, "ffn_config") or 0) if experts else 0,
        layers=_layers(text, depth) if keeps else (Layer(kind="none"),) * depth,
    )


def is_encoder(*configs: Facts) -> bool:
    """Whether the model that *configs* are the parts of reads its input at once."""
    types = {(config.text("model_type") or "").replace("_", "-") for config in configs}
    return bool(types & ENCODERS) and not any(config.flag("is_decoder") for config in configs)


def _depth(text: Facts) -> int | None:
    depth = text.count("decoder_layers", "num_decoder_layers") if text.flag("is_encoder_decoder") else None
    depth = depth or text.count(*DEPTH)
    if depth and depth > LAYERS:
        raise InvalidModelFileError(
            f"'{shown(text.name)}' says that the model has {depth} layers, more than any has; download it again"
        )
    return depth


def _nested_count(text: Facts, keys: tuple[str, ...], part: str) -> int | None:
    nested = text.part(part)
    return text.count(*keys) or (nested.count(*keys) if nested else None)


def _feed_forward(text: Facts, width: int, experts: int) -> int:
    expert = text.count("moe_intermediate_size", "expert_ffn_hidden_size", "ffn_dim_exps") if experts else None
    nested = _nested_count(text, ("ffn_hidden_size",), "ffn_config")
    usual = 4 * width if text.text("model_type") in ("gpt2", "gpt_neo", "gptj", "bloom", "codegen") else 0
    return expert or text.count(*FEED_FORWARD) or nested or usual


def _heads(text: Facts) -> int:
    decoder = text.count("decoder_attention_heads") if text.flag("is_encoder_decoder") else None
    heads = decoder or text.count(*HEADS)
    by_layer = text.entries("num_query_heads", "num_attention_heads")
    return heads or (max((one for one in by_layer if type(one) is int), default=0) if by_layer else 0)


def _layers(text: Facts, depth: int) -> tuple[Layer, ...]:
    by_layer = text.entries(*KV_HEADS_BY_LAYER)
    shared = depth - (text.count("num_kv_shared_layers") or 0)
    made: dict[tuple[Work, Any], Layer] = {}
    layers = []
    for at, work in enumerate(works(text, depth)):
        key = ("none" if at >= shared else work, by_layer[at] if by_layer and at < len(by_layer) else None)
        key = key if type(key[1]) is int else (key[0], None)
        if key not in made:
            made[key] = _layer(text, *key)
        layers.append(made[key])
    return tuple(layers)


def _layer(text: Facts, work: Work, kv_heads: int | None) -> Layer:
    if work == "none":
        return Layer(kind="none")
    state = state_elements(text, work)
    if work not in ("full", "sliding", "both"):
        return Layer(kind="recurrent", state_elements=state)
    if rank := text.count("kv_lora_rank"):
        return Layer(kind="latent", kv_heads=1, key_length=rank + (text.count("qk_rope_head_dim") or 0))
    key, value = _lengths(text, work)
    window = (
        text.count("sliding_window", "attention_chunk_size", "attention_window_size") if work == "sliding" else None
    )
    return Layer(
        kind="sliding" if window else "full",
        kv_heads=_kv_heads(text, work) if kv_heads is None else kv_heads,
        key_length=key,
        value_length=value,
        window=window,
        state_elements=state if work == "both" else 0,
    )


def _lengths(text: Facts, work: Work) -> tuple[int, int]:
    heads, width = _heads(text), text.count(*WIDTH) or 0
    own = text.count("global_head_dim") if work == "full" else None
    key = own or text.count("head_dim", "kv_channels", "d_kv", "attention_head_dim")
    key = key or (width // heads if heads else 0)
    return key, text.count("v_head_dim") or key


def _kv_heads(text: Facts, work: Work) -> int:
    if work == "full" and (own := text.count("num_global_key_value_heads")):
        return own
    if text.flag("multi_query") and not text.flag("new_decoder_architecture"):  # GPT-BigCode, Falcon 7B
        return 1
    nested = text.part("attn_config")  # MPT, DBRX
    return text.count(*KV_HEADS) or (nested.count("kv_n_heads") if nested else None) or _heads(text)
