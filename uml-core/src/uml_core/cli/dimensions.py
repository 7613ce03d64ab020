"""The dimensions that memory depends on, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uml_core.cli.output import human_bytes

Layers = Sequence[Mapping[str, Any]]
"""Runs of equal layers, each with its ``count``."""
F16_BYTES = 2
ATTENTION = ("full", "sliding")


def layers_in_words(layers: Layers) -> str:
    """``22 full + 4 sliding (512 tokens), 8 KV heads x 128``."""
    counts: dict[str, int] = {}
    for layer in layers:
        kind = _kind(layer)
        counts[kind] = counts.get(kind, 0) + layer["count"]
    kinds = " + ".join(f"{count} {kind}" for kind, count in counts.items())
    return ", ".join(filter(None, [kinds, _heads(layers)]))


def cache_in_words(layers: Layers) -> str:
    """What a sequence keeps of the past: so much a token, so much in any case."""
    a_token = F16_BYTES * sum(layer["count"] * _elements(layer) for layer in layers if _kind_of(layer) != "sliding")
    window = F16_BYTES * sum(
        layer["count"] * _elements(layer) * (layer.get("window") or 0)
        for layer in layers
        if _kind_of(layer) == "sliding"
    )
    state = F16_BYTES * sum(layer["count"] * (layer.get("state_elements") or 0) for layer in layers)
    parts = [f"{human_bytes(a_token)} a token"] if a_token else []
    parts += [f"up to {human_bytes(window)} in its windows"] if window else []
    parts += [f"{human_bytes(state)} of state"] if state else []
    return f"{' + '.join(parts)} (F16)" if parts else ""


def _kind_of(layer: Mapping[str, Any]) -> str:
    return str(layer.get("kind") or "full")


def _kind(layer: Mapping[str, Any]) -> str:
    kind = _kind_of(layer)
    if kind == "sliding" and layer.get("window"):
        return f"sliding ({layer['window']:,} tokens)"
    if kind == "latent":
        return f"latent ({layer.get('key_length', 0):,} a token)"
    return "without memory" if kind == "none" else kind


def _elements(layer: Mapping[str, Any]) -> int:
    """What it keeps for each token, in elements."""
    if _kind_of(layer) in ATTENTION:
        return int(layer.get("kv_heads", 0) * (layer.get("key_length", 0) + layer.get("value_length", 0)))
    return int(layer.get("key_length", 0)) if _kind_of(layer) == "latent" else 0


def _heads(layers: Layers) -> str:
    """``8 KV heads x 128``; ranges where layers differ."""
    attention = [layer for layer in layers if _kind_of(layer) in ATTENTION]
    if not attention:
        return ""
    heads = _range(layer.get("kv_heads", 0) for layer in attention)
    keys, values = (_range(layer.get(name, 0) for layer in attention) for name in ("key_length", "value_length"))
    return f"{heads} KV head{'' if heads == '1' else 's'} x {keys if keys == values else f'{keys}/{values}'}"


def _range(counts: Iterator[int]) -> str:
    found = sorted(set(counts))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"
