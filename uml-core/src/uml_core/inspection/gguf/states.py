"""Which layers keep a state in place of keys and values, and how large it is."""

from __future__ import annotations

from uml_core.inspection.gguf.architectures import FULL_EVERY, RECURRENT, STATE_WITHOUT_FEED_FORWARD
from uml_core.inspection.gguf.facts import Facts

SHIFTED_TOKENS = 2
KDA_KERNEL = 4
MARKS = ("ssm.conv_kernel", "shortconv.l_cache", "kda.head_dim", "wkv.head_size")


def recurrent(facts: Facts, kv_heads: tuple[int, ...], feed_forward: tuple[int, ...]) -> tuple[bool, ...]:
    """Whether each layer keeps a state: the file says so, or it has no key-value heads, or the architecture knows."""
    layers, architecture = len(kv_heads), facts.architecture or ""
    if facts.own("attention.recurrent_layers") is not None:
        return tuple(bool(state) for state in facts.own_counts("attention.recurrent_layers", layers) or ())
    if architecture in FULL_EVERY:
        every = facts.own_count("full_attention_interval") or FULL_EVERY[architecture]
        return tuple((layer + 1) % every != 0 for layer in range(layers))
    if architecture in STATE_WITHOUT_FEED_FORWARD:
        return tuple(not heads and not wide for heads, wide in zip(kv_heads, feed_forward, strict=True))
    if architecture in RECURRENT or any(facts.own(mark) is not None for mark in MARKS):
        return tuple(architecture in RECURRENT or not heads for heads in kv_heads)
    return (False,) * layers


def state_elements(facts: Facts, *, embedding: int, heads: int, key_length: int) -> int:
    """How many elements the state of a layer has for each sequence; llama.cpp keeps them as 32-bit floats.

    The convolution's last inputs and the recurrence itself, as in llama.cpp's ``llama-hparams.cpp``.
    """
    kernel = facts.own_count("ssm.conv_kernel") or 0
    if size := facts.own_count("wkv.head_size"):
        shifted = facts.own_count("token_shift_count")
        return embedding * (SHIFTED_TOKENS if shifted is None else shifted) + embedding * size
    if kept := facts.own_count("shortconv.l_cache"):
        return embedding * (kept - 1)
    if size := facts.own_count("kda.head_dim"):
        return 3 * ((kernel or KDA_KERNEL) - 1) * heads * size + heads * size * size
    if facts.architecture == "minimax-01":
        return heads * key_length * key_length
    inner, state = facts.own_count("ssm.inner_size") or 0, facts.own_count("ssm.state_size") or 0
    groups = facts.own_count("ssm.group_count") or 0
    return max(kernel - 1, 0) * (inner + 2 * groups * state) + inner * state
