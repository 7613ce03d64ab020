"""What each layer of the model in a GGUF file keeps of the past, as llama.cpp makes room for it."""

from __future__ import annotations

import functools

from attrs import evolve, frozen

from uml_core.inspection.gguf.architectures import BOTH, DRAFTERS, KEEPING_NOTHING, KEYS_FROM_START
from uml_core.inspection.gguf.facts import Facts
from uml_core.inspection.gguf.states import recurrent, state_elements
from uml_core.inspection.gguf.windows import windows
from uml_core.types import Layer
from uml_core.types.card import LayerKind

ROUNDS = 64


@frozen
class _Lengths:
    """How many elements the key and the value of a head have, and the key that an indexer keeps beside all heads."""

    key: int
    value: int
    indexed: int = 0


def layers_of(
    facts: Facts, *, embedding: int, heads: tuple[int, ...], feed_forward: tuple[int, ...]
) -> tuple[Layer, ...]:
    """One layer for each block; equal ones are one object.

    :param heads: query heads of each layer
    :param feed_forward: how wide the feed-forward network of each layer is
    :raises InvalidModelFileError: a dimension is of another type, or not there for each layer
    """
    count = len(heads)
    kv_heads = facts.own_counts("attention.head_count_kv", count) or heads
    full, sliding = _lengths(facts, embedding, heads[0] or max(heads), count)
    elements = state_elements(facts, embedding=embedding, heads=heads[0], key_length=full[0].key)
    state, nothing = Layer(kind="recurrent", state_elements=elements), Layer(kind="none")
    latent = bool(facts.own_count("attention.key_length_mla") and facts.own_count("attention.value_length_mla"))
    beside = elements if facts.architecture in BOTH else 0
    attention = functools.cache(functools.partial(_attention, latent=latent, state=beside))
    states, spans, keeping = recurrent(facts, kv_heads, feed_forward), windows(facts, count), _keeping(facts, count)
    layers = []
    for layer, (its_heads, window) in enumerate(zip(kv_heads, spans, strict=True)):
        if layer < keeping and states[layer]:
            layers.append(state)
        elif layer < keeping and its_heads:
            layers.append(attention(its_heads, (sliding if window else full)[layer], window))
        else:
            layers.append(nothing)
    return tuple(layers) * _rounds(facts)


def _attention(kv_heads: int, lengths: _Lengths, window: int | None, *, latent: bool, state: int) -> Layer:
    kind: LayerKind = "sliding" if window else "latent" if latent else "full"
    if latent:
        lengths, kv_heads = _Lengths(kv_heads * lengths.key + lengths.indexed, 0), 1
    return Layer(
        kind=kind,
        kv_heads=kv_heads,
        key_length=lengths.key,
        value_length=lengths.value,
        window=window,
        state_elements=state,
    )


def _lengths(facts: Facts, embedding: int, heads: int, layers: int) -> tuple[list[_Lengths], list[_Lengths]]:
    """Of each layer, if it attends to everything, and if it has a window."""
    usual = embedding // heads if heads else 0
    key, value = (_said(facts, f"attention.{part}_length", usual) for part in ("key", "value"))
    full = _Lengths(key, value, facts.own_count("attention.indexer.key_length") or 0)
    key, value = _said(facts, "attention.key_length_swa", key), _said(facts, "attention.value_length_swa", value)
    indexing = facts.own_counts("attention.indexer.types", layers) or (1,) * layers
    alone = evolve(full, indexed=0)
    return [full if indexes else alone for indexes in indexing], [_Lengths(key, value)] * layers


def _said(facts: Facts, key: str, usual: int) -> int:
    said = facts.own_count(key)
    return usual if said is None else said


def _keeping(facts: Facts, layers: int) -> int:
    """How many layers, from the first on, keep something of their own; the others only guess ahead, or share."""
    if facts.architecture in KEEPING_NOTHING or facts.architecture in DRAFTERS:
        return 0
    guessing = facts.own_count("nextn_predict_layers") or 0
    sharing = facts.own_count("attention.shared_kv_layers") or 0
    first = KEYS_FROM_START.get(facts.architecture or "", layers)
    return max(min(layers - guessing, layers - sharing, first), 0)


def _rounds(facts: Facts) -> int:
    """How often the layers are gone through, each time with keys and values of their own."""
    return min(facts.own_count("num_loops") or 1, ROUNDS) if facts.architecture == "nanbeige" else 1
