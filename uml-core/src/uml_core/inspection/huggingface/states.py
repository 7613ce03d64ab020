"""How much a recurrent layer keeps of a sequence, however long that is."""

from __future__ import annotations

from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.huggingface.layers import Work


def state_elements(text: Facts, work: Work) -> int:
    """The elements of the state of one layer: what the convolution saw last, and the state itself."""
    hidden = text.count("hidden_size", "d_model", "n_embd") or 0
    if work in ("mamba", "both"):
        return _mamba(text, hidden)
    if work == "linear":
        return _linear(text, hidden)
    if work == "conv":
        return hidden * max(0, (text.count("conv_L_cache") or 3) - 1)
    if work == "recurrent":
        width = text.count("lru_width") or hidden
        return width * (text.count("conv1d_width") or 4)
    return _rwkv(text, hidden) if work == "rwkv" else 0


def _mamba(text: Facts, hidden: int) -> int:
    inner = _inner(text, hidden)
    state = text.count("mamba_d_state", "ssm_state_size", "state_size") or 16
    groups = text.count("mamba_n_groups", "n_groups", "mamba_ngroups") or 0
    kernel = text.count("mamba_d_conv", "conv_kernel") or 4
    return max(0, kernel - 1) * (inner + 2 * groups * state) + inner * state


def _inner(text: Facts, hidden: int) -> int:
    """The inner width, which Mamba 2 counts in heads."""
    if inner := text.count("mamba_d_ssm"):
        return inner
    if (text.text("model_type") or "") in ("mamba", "falcon_mamba") and (inner := text.count("intermediate_size")):
        return inner
    heads = text.count("mamba_n_heads", "mamba_num_heads", "n_mamba_heads")
    length = text.count("mamba_d_head", "mamba_head_dim", "mamba_headdim")
    if text.text("model_type") == "mamba2":
        heads, length = text.count("num_heads"), text.count("head_dim")
    return heads * length if heads and length else (text.count("mamba_expand", "expand") or 2) * hidden


def _linear(text: Facts, hidden: int) -> int:
    """Gated delta nets (Qwen3-Next, Kimi Linear) and lightning attention: one square of each head."""
    keys, values = text.count("linear_num_key_heads"), text.count("linear_num_value_heads")
    key, value = text.count("linear_key_head_dim"), text.count("linear_value_head_dim")
    if keys and values and key and value:
        kernel = text.count("linear_conv_kernel_dim") or 4
        return values * key * value + max(0, kernel - 1) * (2 * keys * key + values * value)
    nested = text.part("linear_attn_config")
    if nested and (heads := nested.count("num_heads")) and (length := nested.count("head_dim")):
        kernel = nested.count("short_conv_kernel_size") or 4
        return heads * length * length + max(0, kernel - 1) * 3 * heads * length
    heads = text.count("num_attention_heads") or 0
    length = text.count("head_dim") or (hidden // heads if heads else 0)
    return heads * length * length


def _rwkv(text: Facts, hidden: int) -> int:
    """RWKV 4 keeps five vectors, later ones a square for each head and two."""
    if text.text("model_type") == "rwkv":
        return 5 * hidden
    return hidden * (text.count("head_size", "head_dim") or 64) + 2 * hidden
