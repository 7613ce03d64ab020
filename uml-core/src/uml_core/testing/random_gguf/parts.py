"""The tensors that architectures are put together from: names and dimensions, inputs first as GGUF has them."""

from __future__ import annotations

from collections.abc import Mapping

from uml_core.testing.random_gguf.sizes import Sizes

Tensors = dict[str, tuple[int, ...]]


def around(sizes: Sizes) -> Tensors:
    """Embedding, and output if it is not the embedding again."""
    matrix = (sizes.width, sizes.vocabulary)
    output: Tensors = {} if sizes.tied else {"output.weight": matrix}
    return {"token_embd.weight": matrix, "output_norm.weight": (sizes.width,), **output}


def attention(sizes: Sizes, *, normed: bool = False, biased: bool = False) -> Tensors:
    """Grouped queries; *normed* queries and keys, as in Qwen 3 and Gemma 3; *biased* as in gpt-oss."""
    width, wide, narrow = sizes.width, sizes.heads * sizes.head_length, sizes.kv_heads * sizes.head_length
    found: Tensors = {
        "attn_norm.weight": (width,),
        "attn_q.weight": (width, wide),
        "attn_k.weight": (width, narrow),
        "attn_v.weight": (width, narrow),
        "attn_output.weight": (wide, width),
    }
    if normed:
        found |= {"attn_q_norm.weight": (sizes.head_length,), "attn_k_norm.weight": (sizes.head_length,)}
    if biased:
        found |= {f"attn_{part}.bias": (length,) for part, length in zip("qkv", (wide, narrow, narrow), strict=True)}
        found |= {"attn_output.bias": (width,)}
    return found


def latent_attention(sizes: Sizes) -> Tensors:
    """DeepSeek's: keys and values are made of one short vector, whose matrices may be absorbed into the others."""
    found: Tensors = {
        "attn_norm.weight": (sizes.width,),
        "attn_kv_a_mqa.weight": (sizes.width, sizes.key_value_rank + sizes.rope_length),
        "attn_kv_a_norm.weight": (sizes.key_value_rank,),
        "attn_output.weight": (sizes.heads * sizes.value_length, sizes.width),
    }
    return found | _queries(sizes) | _keys_and_values(sizes)


def _queries(sizes: Sizes) -> Tensors:
    wide = sizes.heads * sizes.head_length
    if sizes.plain_queries:
        return {"attn_q.weight": (sizes.width, wide)}
    rank = sizes.query_rank
    found: Tensors = {"attn_q_a.weight": (sizes.width, rank), "attn_q_a_norm.weight": (rank,)}
    return found | {"attn_q_b.weight": (rank, wide)}


def _keys_and_values(sizes: Sizes) -> Tensors:
    plain = sizes.head_length - sizes.rope_length
    if not sizes.absorbed:
        return {"attn_kv_b.weight": (sizes.key_value_rank, sizes.heads * (plain + sizes.value_length))}
    return {
        "attn_k_b.weight": (plain, sizes.key_value_rank, sizes.heads),
        "attn_v_b.weight": (sizes.key_value_rank, sizes.value_length, sizes.heads),
    }


def network(sizes: Sizes, *, feed_forward: int | None = None, suffix: str = "") -> Tensors:
    """Gate, up and down."""
    wide = feed_forward or sizes.feed_forward
    return {
        f"ffn_gate{suffix}.weight": (sizes.width, wide),
        f"ffn_up{suffix}.weight": (sizes.width, wide),
        f"ffn_down{suffix}.weight": (wide, sizes.width),
    }


def experts(sizes: Sizes, *, biased: bool = False) -> Tensors:
    """Networks of which some work on each token, and what chooses them."""
    found: Tensors = {"ffn_gate_inp.weight": (sizes.width, sizes.experts)}
    found |= {name: (*shape, sizes.experts) for name, shape in network(sizes, suffix="_exps").items()}
    if biased:
        found["ffn_gate_inp.bias"] = (sizes.experts,)
        lengths = {"gate": sizes.feed_forward, "up": sizes.feed_forward, "down": sizes.width}
        found |= {f"ffn_{part}_exps.bias": (length, sizes.experts) for part, length in lengths.items()}
    return found


def state_space(sizes: Sizes) -> Tensors:
    """Mamba's first version."""
    rank = max(1, sizes.width // 16)
    return {
        "attn_norm.weight": (sizes.width,),
        "ssm_in.weight": (sizes.width, 2 * sizes.inner),
        "ssm_conv1d.weight": (sizes.kernel, sizes.inner),
        "ssm_conv1d.bias": (sizes.inner,),
        "ssm_x.weight": (sizes.inner, rank + 2 * sizes.state),
        "ssm_dt.weight": (rank, sizes.inner),
        "ssm_dt.bias": (sizes.inner,),
        "ssm_a": (sizes.state, sizes.inner),
        "ssm_d": (sizes.inner,),
        "ssm_out.weight": (sizes.inner, sizes.width),
    }


def state_space_of_heads(sizes: Sizes) -> Tensors:
    """Mamba's second version."""
    convolved = sizes.inner + 2 * sizes.groups * sizes.state
    return {
        "attn_norm.weight": (sizes.width,),
        "ssm_in.weight": (sizes.width, sizes.inner + convolved + sizes.state_heads),
        "ssm_conv1d.weight": (sizes.kernel, convolved),
        "ssm_conv1d.bias": (convolved,),
        "ssm_dt.bias": (sizes.state_heads,),
        "ssm_a": (1, sizes.state_heads),
        "ssm_d": (1, sizes.state_heads),
        "ssm_norm.weight": (sizes.inner // sizes.groups, sizes.groups),
        "ssm_out.weight": (sizes.inner, sizes.width),
    }


def norms(sizes: Sizes, *names: str) -> Tensors:
    return {f"{name}.weight": (sizes.width,) for name in names}


def of_layer(layer: int, tensors: Mapping[str, tuple[int, ...]]) -> Tensors:
    return {f"blk.{layer}.{name}": shape for name, shape in tensors.items()}
