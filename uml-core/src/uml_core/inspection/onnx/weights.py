"""How many weights a graph has, in how many bits each, and by which scheme most of them are quantized."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from attrs import frozen

from uml_core.inspection.onnx.node import Node
from uml_core.inspection.onnx.tables import BNB_TYPES, PACKED, SCALES, SCHEMES
from uml_core.inspection.onnx.tensor import Tensor


@frozen(kw_only=True)
class Weights:
    """``elements`` are counted as what they stand for, not as the bytes they are packed in, by the name of the scheme.

    ``size_bytes`` is what they take as stored, with their scales.
    """

    elements: Counter[str]
    size_bytes: int

    @classmethod
    def none(cls) -> Weights:
        return cls(elements=Counter(), size_bytes=0)

    @property
    def parameters(self) -> int:
        return self.elements.total()

    @property
    def bits_per_weight(self) -> float | None:
        return round(self.size_bytes * 8 / self.parameters, 3) if self.parameters else None

    @property
    def quantization(self) -> str | None:
        return self.elements.most_common(1)[0][0] if self.parameters else None

    def __add__(self, other: Weights) -> Weights:
        return Weights(elements=self.elements + other.elements, size_bytes=self.size_bytes + other.size_bytes)


class _Packing(NamedTuple):
    scheme: str
    bits: int
    elements: int | None = None


def weigh(tensors: Iterable[Tensor], nodes: Iterable[Node]) -> Weights:
    """Count the weights among *tensors*: integers of more than 8 bits are shapes and indices, and are none."""
    nodes = tuple(nodes)
    packings = dict(entry for node in nodes for entry in _packings(node))
    scales = {node.inputs[at] for node in nodes for at in SCALES.get(node.operator, ()) if at < len(node.inputs)}
    elements: Counter[str] = Counter()
    size_bytes = 0
    for tensor in tensors:
        if tensor.type in SCHEMES:
            scheme, count = (SCHEMES[tensor.type], 0) if tensor.name in scales else _count(tensor, packings)
            elements[scheme] += count
            size_bytes += tensor.size_bytes
    return Weights(elements=+elements, size_bytes=size_bytes)


def _count(tensor: Tensor, packings: Mapping[str, _Packing]) -> tuple[str, int]:
    packing = packings.get(tensor.name)
    if packing is None or tensor.type not in ("uint8", "int8"):  # 4-bit types have their own dimensions
        return SCHEMES[tensor.type], tensor.elements
    room = tensor.elements * 8 // packing.bits
    return packing.scheme, min(packing.elements or room, room)


def _packings(node: Node) -> Iterator[tuple[str, _Packing]]:
    if node.operator not in PACKED:
        return
    inputs, attribute, usual_bits = PACKED[node.operator]
    bits = node.numbers.get(attribute, usual_bits)
    if bits not in (1, 2, 4, 8):  # 8 for one that is no power of two: each has a byte
        bits = 8
    rows, columns = node.numbers.get("N", 0), node.numbers.get("K", 0)
    scheme = f"int{bits}" if node.operator != "MatMulBnb4" else BNB_TYPES.get(node.numbers.get("quant_type", 1), "int4")
    elements = rows * columns if rows > 0 and columns > 0 else None
    for at in inputs:
        if at < len(node.inputs):
            yield node.inputs[at], _Packing(scheme, bits, elements)
