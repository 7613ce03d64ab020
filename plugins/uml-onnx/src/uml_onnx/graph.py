"""The graph of a model that writes: what goes in and comes out of it, whoever exported it.

Optimum and transformers.js call the past ``past_key_values.0.key`` and ``present.0.key``, the builder of
onnxruntime-genai too unless its configuration says otherwise; transformers' own exporter writes
``input.past_key_values.layers.0.keys``, others ``past_key_values_0_key`` or ``past_key_0``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from uml_core.errors import ModelLoadError
from uml_core.inspection.onnx import Header, read_header
from uml_core.inspection.onnx.value import Dimension, Value
from uml_onnx.files import Files

PREFIX = re.compile(r"(?:(?:input|output)[._])?(?:past|present|new_past|updated)(?:_key_values?|_kv)?(?=[._])")
NUMBER = re.compile(r"\d+")
PART = re.compile(r"key|value")
FED = frozenset({"input_ids", "attention_mask", "position_ids", "use_cache_branch", "num_logits_to_keep"})
ATTENTION = frozenset({"Attention", "MultiHeadAttention", "DecoderMaskedMultiHeadAttention", "PagedAttention"})


@frozen(kw_only=True)
class Past:
    """What one layer keeps: it goes in as *name*, ``[batch, heads, tokens, length]``, and comes out as *output*."""

    name: str
    output: str
    heads: int
    length: int
    type: str


@frozen(kw_only=True)
class DecoderGraph:
    """``types`` are those of the inputs, by name. ``grouped``: all attention is onnxruntime's GroupQueryAttention.

    That one takes keys and values of several sequences from the first place on, each as long as the mask says, and can
    write the new ones behind them, into the same memory. ``each``: there are logits of every token, not of the last.
    ``coarse``: it calculates with few bits, and one token by itself is rounded in another way than several.
    """

    types: Mapping[str, str]
    pasts: tuple[Past, ...]
    logits: str
    logits_type: str
    n_vocab: int
    grouped: bool
    each: bool
    coarse: bool


def read_graph(files: Files) -> DecoderGraph:
    """Read what the graph wants and gives.

    :raises ModelLoadError: it is none that goes on with a text, or wants what nobody here knows
    """
    header = read_header(files.graph)
    pasts = _pasts(header, files)
    if unknown := sorted({value.name for value in header.inputs} - FED - {past.name for past in pasts}):
        raise ModelLoadError(f"'{files.graph.name}' wants {', '.join(unknown[:4])}, which this backend doesn't know")
    logits = next((value for value in header.outputs if value.name == "logits"), header.outputs[0])
    sizes = logits.dimensions or ("", "", "")
    return DecoderGraph(
        types={value.name: value.type for value in header.inputs},
        pasts=pasts,
        logits=logits.name,
        logits_type=logits.type,
        n_vocab=_size(sizes[-1]) or int(files.config.get("vocab_size") or files.genai.get("vocab_size") or 0),
        grouped="GroupQueryAttention" in header.operators and ATTENTION.isdisjoint(header.operators),
        coarse="MatMulNBits" in header.operators,
        each=len(sizes) == 3 and sizes[1] != 1 and "num_logits_to_keep" not in {v.name for v in header.inputs},
    )


def _pasts(header: Header, files: Files) -> tuple[Past, ...]:
    names = _named(files.genai.get("decoder", {}))
    inputs = {place: value for value in header.inputs if (place := _place(value.name, names))}
    outputs = {place: value.name for value in header.outputs if (place := _place(value.name, names))}
    if not inputs or inputs.keys() - outputs.keys():
        raise ModelLoadError(
            f"'{files.graph.name}' has no keys and values of a past that go in and come out; "
            "export it anew with a cache (`text-generation-with-past`)"
        )
    heads, length = _dimensions(files)
    return tuple(_past(value, outputs[place], heads, length) for place, value in sorted(inputs.items()))


def _past(value: Value, output: str, heads: int, length: int) -> Past:
    sizes = value.dimensions or ()
    heads, length = (_size(sizes[1]) or heads, _size(sizes[3]) or length) if len(sizes) == 4 else (0, 0)
    if not heads or not length or _size(sizes[2]):
        raise ModelLoadError(f"'{value}' is no past of a form that this backend knows; export it anew")
    return Past(name=value.name, output=output, heads=heads, length=length, type=value.type)


def _named(decoder: Mapping[str, Any]) -> Mapping[str, re.Pattern[str]]:
    """The builder's patterns for the names of keys and values, by part: ``past_key_values.%d.key``."""
    told = {**decoder.get("inputs", {}), **decoder.get("outputs", {})}
    known = {"past_key_names": "key", "present_key_names": "key", "past_value_names": "value"}
    known["present_value_names"] = "value"
    return {
        f"{part} {name}": re.compile(re.escape(str(told[name])).replace("%d", r"(\d+)"))
        for name, part in known.items()
        if name in told
    }


def _place(name: str, named: Mapping[str, re.Pattern[str]]) -> tuple[int, str] | None:
    for key, pattern in named.items():
        if found := pattern.fullmatch(name):
            return int(found[1]), key.partition(" ")[0]
    if not (prefix := PREFIX.match(name)):
        return None
    rest = name[prefix.end() :]
    number, part = NUMBER.search(rest), PART.search(rest)
    return (int(number[0]), part[0]) if number and part else None


def _dimensions(files: Files) -> tuple[int, int]:
    """Heads of keys and values, and their length, of a graph that only gives these names."""
    decoder, config = files.genai.get("decoder", {}), files.config
    config = config.get("text_config") or config
    heads = config.get("num_attention_heads") or decoder.get("num_attention_heads") or 0
    length = decoder.get("head_size") or config.get("head_dim") or (config.get("hidden_size") or 0) // max(1, heads)
    return int(decoder.get("num_key_value_heads") or config.get("num_key_value_heads") or heads), int(length)


def _size(dimension: Dimension) -> int:
    return dimension if isinstance(dimension, int) and dimension > 0 else 0
