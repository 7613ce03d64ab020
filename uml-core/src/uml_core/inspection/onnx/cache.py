"""What a graph keeps of the past, as the inputs say through which whoever runs it hands the past back in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from uml_core.inspection.onnx.node import Node
from uml_core.inspection.onnx.tables import ATTENTION
from uml_core.inspection.onnx.value import Dimension, Value
from uml_core.types import Layer, Shape

KEPT = re.compile(r"past(?:_key_values)?\.(?P<layer>\d{1,4})\.(?:decoder\.)?(?P<part>key|value)")
STATE = re.compile(r"past_\w+\.(?P<layer>\d{1,4})(?:\.\w+)?")
LAYERS = 4_096
LARGEST = 2**40


def cache_shape(inputs: Iterable[Value], outputs: Iterable[Value], nodes: Iterable[Node]) -> Shape | None:
    """The dimensions of the past; None if the graph keeps none, or doesn't say how much."""
    heads, kv_heads, window = _attention(nodes)
    found: dict[int, dict[str, int]] = {}
    for value in inputs:
        for layer, part, size in _sizes(value, kv_heads):
            found.setdefault(layer, {})[part] = size
    layers = tuple(_layer(parts, window) for _, parts in sorted(found.items()))
    if not layers or len(layers) > LAYERS or any(layer.kind == "none" for layer in layers):
        return None
    logits = next((value.dimensions for value in outputs if value.name == "logits" and value.dimensions), ("",))
    return Shape(heads=heads, vocabulary_size=_length(logits[-1]), layers=_shared(layers))


def _attention(nodes: Iterable[Node]) -> tuple[int, int, int]:
    for node in nodes:
        if node.operator in ATTENTION:
            heads, kv_heads = ATTENTION[node.operator]
            numbers = node.numbers
            return tuple(  # type: ignore[return-value] # of three
                _length(numbers.get(name, 0)) for name in (heads, kv_heads, "local_window_size")
            )
    return 0, 0, 0


def _sizes(value: Value, kv_heads: int) -> Iterable[tuple[int, str, int]]:
    """Layer, part and length of what *value* hands in: ``[batch, heads, tokens, length]`` for keys and values."""
    sizes = value.dimensions or ()
    if (kept := KEPT.fullmatch(value.name)) and len(sizes) == 4:
        heads, length = _length(sizes[1]) or kv_heads, _length(sizes[3])
        if heads and length:
            yield int(kept["layer"]), "kv_heads", heads
            yield int(kept["layer"]), kept["part"], length
        else:
            yield int(kept["layer"]), "unknown", 0
    elif (state := STATE.fullmatch(value.name)) and not kept and sizes:
        yield int(state["layer"]), value.name, math.prod(_length(size) or 1 for size in sizes[1:])


def _layer(parts: Mapping[str, int], window: int) -> Layer:
    if "unknown" in parts:
        return Layer(kind="none")
    if "kv_heads" in parts:
        return Layer(
            kind="sliding" if window else "full",
            kv_heads=parts["kv_heads"],
            key_length=parts.get("key", 0),
            value_length=parts.get("value", 0),
            window=window or None,
        )
    return Layer(kind="recurrent", state_elements=min(sum(parts.values()), LARGEST))


def _shared(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    known: dict[Layer, Layer] = {}
    return tuple(known.setdefault(layer, layer) for layer in layers)


def _length(size: Dimension) -> int:
    return size if isinstance(size, int) and 0 < size < LARGEST else 0
