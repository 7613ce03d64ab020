"""One operator in a graph: what it is, and those of its attributes that say something about weights or heads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from uml_core.inspection.onnx.wire import Malformed, Wire, check_unread, signed, varint

INPUTS = 16
ATTRIBUTES = 1_000
NODE_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 9))
UNREAD = frozenset((0x12, 0x1A, 0x32, 0x3A, 0x42, 0x4A))
ATTRIBUTE_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 20, 21, 22, 23))
UNREAD_IN_ATTRIBUTE = frozenset((0x15, 0x22, 0x3A, 0x3D, 0x40, 0x42, 0x4A, 0x6A, 0x72, 0x7A, 0xA0, 0xAA))
VALUE = b"\x0a\x05value\x2a"
TYPE = b"\xa0\x01\x04"
LENGTH = rb"([\x80-\xff]{,3}[\x00-\x7f])"
TENSOR = re.compile(rb"\x2a" + LENGTH + re.escape(VALUE) + LENGTH)
"""The start of an attribute ``value`` that is a tensor; ``TYPE`` says so once more at its end."""

BEFORE_OPERATOR = frozenset((0x0A, 0x12, 0x1A))

Places = tuple[tuple[int, int], ...]


class Node(NamedTuple):
    """``inputs`` are the first of them; ``numbers`` the attributes that are one integer; the rest are places."""

    operator: str
    inputs: tuple[str, ...] = ()
    numbers: Mapping[str, int] = {}
    tensors: Places = ()
    sparse_tensors: Places = ()
    graphs: Places = ()


def operator_of(data: bytes, at: int, end: int) -> tuple[str | None, int]:
    """The operator of the node in *data* and where the next field is; None if it isn't written as exporters do.

    A model has thousands of nodes: this looks at nothing but the names before the operator's.
    """
    while at + 1 < end:
        tag, length = data[at], data[at + 1]
        at += 2 + length
        if length > 127 or at > end:
            break
        if tag == 0x22:
            return data[at - length : at].decode("utf-8", "replace") or None, at
        if tag not in BEFORE_OPERATOR:
            break
    return None, at


def constant_of(data: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Where the tensor of a constant is, whose one attribute starts at *at*; None if it isn't written as usual."""
    usual = TENSOR.match(data, at, end)
    if usual is None:
        return None
    attribute_end = usual.start(2) - len(VALUE) + varint(usual[1], 0, len(usual[1]))[0]
    tensor_end = usual.end() + varint(usual[2], 0, len(usual[2]))[0]
    whole = attribute_end == end and (
        tensor_end == end or (tensor_end == end - 3 and data.startswith(TYPE, tensor_end))
    )
    return (usual.end(), tensor_end) if whole else None


def read_node(wire: Wire, start: int, stop: int) -> Node:
    """Read a ``NodeProto``.

    :raises Malformed: it is no such message, or names no operator
    """
    operator, inputs, attributes = "", list[str](), list[tuple[int, int]]()
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x0A:
            if len(inputs) < INPUTS:
                inputs.append(wire.text(begin, end))
        elif tag == 0x22:
            operator = wire.text(begin, end)
        elif tag == 0x2A:
            attributes.append((begin, end))
        elif tag not in UNREAD:
            check_unread(tag, NODE_FIELDS, "an operator")
        if len(attributes) > ATTRIBUTES:
            raise Malformed(f"an operator has more than {ATTRIBUTES} attributes")
    if not operator:
        raise Malformed("an operator has no name")
    return _with_attributes(wire, Node(operator, tuple(inputs)), attributes)


def _with_attributes(wire: Wire, node: Node, attributes: list[tuple[int, int]]) -> Node:
    numbers: dict[str, int] = {}
    places: dict[int, list[tuple[int, int]]] = {0x2A: [], 0x32: [], 0x52: [], 0x5A: [], 0xB2: [], 0xBA: []}
    for start, stop in attributes:
        name, number = "", None
        for tag, begin, end in wire.fields(start, stop):
            if tag == 0x0A:
                name = wire.text(begin, end)
            elif tag == 0x18:
                number = signed(begin)
            elif tag in places:
                places[tag].append((begin, end))
            elif tag not in UNREAD_IN_ATTRIBUTE:
                check_unread(tag, ATTRIBUTE_FIELDS, "an attribute")
        if number is not None:
            numbers[name] = number
    return node._replace(
        numbers=numbers,
        tensors=(*places[0x2A], *places[0x52]),
        sparse_tensors=(*places[0xB2], *places[0xBA]),
        graphs=(*places[0x32], *places[0x5A]),
    )
