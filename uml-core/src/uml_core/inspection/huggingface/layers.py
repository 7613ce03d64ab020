"""What each layer of a model does with the past, as its configuration says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle, islice
from typing import Any, Literal

from uml_core.inspection.huggingface.facts import Facts

Work = Literal["full", "sliding", "mamba", "linear", "conv", "recurrent", "rwkv", "both", "none"]
"""``both`` is full attention beside a state-space model, ``none`` a layer without a past (an MLP)."""

WORDS: dict[Any, Work] = {
    "full_attention": "full",
    "attention": "full",
    "global": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "sliding",
    "local": "sliding",
    "mamba": "mamba",
    "mamba2": "mamba",
    "linear_attention": "linear",
    "conv": "conv",
    "recurrent": "recurrent",
    "hybrid": "both",
    "mlp": "none",
    "moe": "none",
}
LETTERS: dict[str, Work] = {"M": "mamba", "*": "full", "-": "none", "E": "none"}
"""Nemotron-H's ``hybrid_override_pattern``."""

PURE: dict[str, Work] = {
    "mamba": "mamba",
    "mamba2": "mamba",
    "falcon_mamba": "mamba",
    "falcon_h1": "both",
    "rwkv": "rwkv",
    "rwkv5": "rwkv",
    "rwkv6": "rwkv",
    "rwkv7": "rwkv",
}
"""``model_type`` of models whose layers are all alike and not just attention."""

PATTERNS = {"gemma2": 2, "gemma3": 6, "gemma3_text": 6, "gemma3n_text": 5, "cohere2": 4}
"""How many layers go from one full layer to the next in those whose files may leave it out."""


def works(text: Facts, count: int) -> list[Work]:
    """What each of *count* layers does; full attention where nothing else is said, for that needs the most."""
    for rule in RULES:
        if (found := rule(text, count)) is not None:
            return list(islice(found, count)) + ["full"] * (count - len(found))
    return ["full"] * count


def _listed(text: Facts, _: int) -> list[Work] | None:
    words = text.entries("layer_types", "layers_block_type")
    return words and [_work(word) for word in words]


def _repeated(text: Facts, count: int) -> list[Work] | None:
    """RecurrentGemma: two recurrent blocks, then one of attention within a window, and so on."""
    words = text.entries("block_types", "_block_types")
    if not words:
        return None
    found = [_work(word) for word in words]
    return list(islice(cycle("sliding" if "recurrent" in words and one == "full" else one for one in found), count))


def _work(word: object) -> Work:
    return WORDS.get(word, "full") if isinstance(word, str) else "full"


def _letters(text: Facts, count: int) -> list[Work] | None:
    letters = text.values.get("hybrid_override_pattern")
    return [LETTERS.get(one, "full") for one in letters[:count]] if isinstance(letters, str) and letters else None


def _periodic(text: Facts, count: int) -> list[Work] | None:
    """Jamba: one layer of attention in each period."""
    period, offset = text.count("attn_layer_period"), text.count("attn_layer_offset")
    return ["full" if at % period == offset else "mamba" for at in range(count)] if period else None


def _numbered(text: Facts, count: int) -> list[Work] | None:
    """Bamba and LFM2 number the layers of attention, Kimi Linear from 1 on, Zamba2 those that have both."""
    nested = text.part("linear_attn_config")
    if nested and (full := nested.entries("full_attn_layers")):
        return _at([number - 1 for number in full if isinstance(number, int)], count, other="linear")
    if text.has("full_attn_idxs"):
        return _at(text.entries("full_attn_idxs") or [], count, other="conv")
    if text.has("hybrid_layer_ids"):
        return _at(text.entries("hybrid_layer_ids") or [], count, this="both", other="mamba")
    return _at(text.entries("attn_layer_indices") or [], count, other="mamba") if "attn_layer_indices" in text else None


def _at(places: Iterable[Any], count: int, *, this: Work = "full", other: Work) -> list[Work]:
    there = {place for place in places if isinstance(place, int)}
    return [this if at in there else other for at in range(count)]


def _flags(text: Facts, _: int) -> list[Work] | None:
    """MiniMax marks attention with 1; Llama 4 marks layers of attention within a chunk with 1."""
    if flags := text.entries("attn_type_list"):
        return ["full" if flag == 1 else "linear" for flag in flags]
    flags = text.entries("no_rope_layers") if "attention_chunk_size" in text else None
    return flags and ["sliding" if flag == 1 else "full" for flag in flags]


def _interval(text: Facts, count: int) -> list[Work] | None:
    """Qwen3-Next: each so-manieth layer is full attention."""
    every = text.count("full_attention_interval")
    return [("linear" if (at + 1) % every else "full") for at in range(count)] if every else None


def _alike(text: Facts, count: int) -> list[Work] | None:
    work = PURE.get(text.text("model_type") or "")
    return [work] * count if work else None


def _windows(text: Facts, count: int) -> list[Work] | None:
    if not text.count("sliding_window") or text.flag("use_sliding_window") is False:
        return None
    pattern = text.values.get("sliding_window_pattern", text.values.get("_sliding_window_pattern"))
    if isinstance(pattern, str) and pattern:  # EXAONE 4: "LLLG"
        return ["sliding" if letter == "L" else "full" for letter in islice(cycle(pattern), count)]
    every = pattern if type(pattern) is int and pattern > 0 else PATTERNS.get(text.text("model_type") or "")
    if every:
        return [("sliding" if (at + 1) % every else "full") for at in range(count)]
    first = text.count("max_window_layers") if text.flag("use_sliding_window") else 0
    return ["full" if at < (first or 0) else "sliding" for at in range(count)]


RULES: tuple[Callable[[Facts, int], list[Work] | None], ...] = (
    *(_listed, _repeated, _letters, _periodic, _numbered, _flags, _interval, _alike, _windows),
)
