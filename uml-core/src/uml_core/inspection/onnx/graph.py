"""A graph, and the graphs in its operators: what goes in and out, which tensors it holds, which operators it uses."""

from __future__ import annotations

import re
from collections import Counter

from attrs import define, field

from uml_core.inspection.file import shown
from uml_core.inspection.onnx.node import Node, constant_of, operator_of, read_node
from uml_core.inspection.onnx.tables import LOOKED_INTO
from uml_core.inspection.onnx.tensor import Tensor, read_sparse_tensor, read_tensor
from uml_core.inspection.onnx.value import Value, read_value
from uml_core.inspection.onnx.wire import Malformed, Wire, check_unread

GRAPHS_DEEP = 16
NODES = 250_000
TENSORS = 150_000
VALUES = 10_000
OPERATORS = 2_000
SMALL_NODE_BYTES = 32 * 2**10
GRAPH_FIELDS = frozenset((1, 2, 5, 10, 11, 12, 13, 14, 15, 16))
UNREAD = frozenset((0x52, 0x6A, 0x72, 0x82))
FUNCTION_FIELDS = frozenset((1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14))
TRAINING_FIELDS = frozenset((1, 2, 3, 4))
NUMBER = re.compile(rb"\x2a[\x00-\x7f]\x0a\x05value\x2a[\x00-\x7f](?:\x08[\x00-\x7f])*\x10[\x06\x07\x09]")
"""The attribute of a constant that is a few integers or truth values, as all exporters write it: no weights."""


@define
class Graph:
    """What all graphs of a file have in common; ``inputs`` and ``outputs`` are the outermost's.

    ``nodes`` are those that say how weights are quantized or how many heads there are.
    """

    name: str = ""
    inputs: list[Value] = field(factory=list)
    outputs: list[Value] = field(factory=list)
    tensors: list[Tensor] = field(factory=list)
    operators: Counter[str] = field(factory=Counter)
    nodes: list[Node] = field(factory=list)
    node_count: int = 0


def read_graph(wire: Wire, start: int, stop: int, *, into: Graph, depth: int = 0) -> None:
    """Read a ``GraphProto``: the outermost at *depth* 0, else one within it.

    :raises Malformed: it breaks the format, or is larger or deeper than any model is
    """
    if depth > GRAPHS_DEEP:
        raise Malformed(f"its graphs are more than {GRAPHS_DEEP} deep")
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x0A:
            _read_node(wire, begin, end, into=into, depth=depth)
        elif tag == 0x2A:
            _keep(into, read_tensor(wire, begin, end))
        elif tag == 0x7A:
            for tensor in read_sparse_tensor(wire, begin, end):
                _keep(into, tensor)
        elif tag not in UNREAD and depth == 0:
            _read_face(wire, (tag, begin, end), into=into)


def read_function(wire: Wire, start: int, stop: int, *, into: Graph) -> None:
    """Read the operators of a ``FunctionProto``."""
    for tag, begin, end in wire.fields(start, stop):
        if tag == 0x3A:
            _read_node(wire, begin, end, into=into, depth=1)
        elif tag & 7 != 2:
            check_unread(tag, FUNCTION_FIELDS, "a function")


def read_training(wire: Wire, start: int, stop: int, *, into: Graph) -> None:
    """Read the graphs of a ``TrainingInfoProto``, which can hold tensors as any other."""
    for tag, begin, end in wire.fields(start, stop):
        if tag in (0x0A, 0x12):
            read_graph(wire, begin, end, into=into, depth=1)
        elif tag & 7 != 2:
            check_unread(tag, TRAINING_FIELDS, "training notes")


def _read_face(wire: Wire, place: tuple[int, int, int], *, into: Graph) -> None:
    tag, begin, end = place
    if tag == 0x12:
        into.name = wire.text(begin, end)
    elif tag in (0x5A, 0x62):
        values = into.inputs if tag == 0x5A else into.outputs
        values.append(read_value(wire, begin, end))
        if len(values) > VALUES:
            raise Malformed(f"it has more than {VALUES} inputs or outputs")
    else:
        check_unread(tag, GRAPH_FIELDS, "a graph")


def _read_node(wire: Wire, start: int, stop: int, *, into: Graph, depth: int) -> None:
    """Count a node; one that holds tensors or graphs is walked through, and few do."""
    into.node_count += 1
    if into.node_count > NODES:
        raise Malformed(f"it has more than {NODES} operators")
    operator = _short_way(wire, start, stop, into) if stop - start <= SMALL_NODE_BYTES else None
    if operator is None:
        operator = _read_whole_node(wire, start, stop, into=into, depth=depth)
    into.operators[operator] += 1
    if len(into.operators) > OPERATORS:
        raise Malformed(f"it has more than {OPERATORS} kinds of operators, such as '{shown(operator)}'")


def _short_way(wire: Wire, start: int, stop: int, into: Graph) -> str | None:
    """The operator of a node that has nothing to look at but one tensor; None for one that may have more."""
    data, base = wire.window(start, stop - start)
    end = stop - base
    operator, at = operator_of(data, start - base, end)
    if operator == "Constant":
        if NUMBER.match(data, at, end) and not _may_be_outside(data, at, end):
            return operator
        if place := constant_of(data, at, end):
            _keep(into, read_tensor(wire, base + place[0], base + place[1]))
            return operator
        return None
    return None if operator in LOOKED_INTO or _may_be_outside(data, at, end) else operator


def _may_be_outside(data: bytes, at: int, end: int) -> bool:
    """Whether ``data_location = EXTERNAL`` may be in there, in one of the ways to write it."""
    find = data.find
    return (
        find(b"\x70\x01", at, end) >= 0
        or find(b"\x70\x81", at, end) >= 0
        or find(b"\xf0\x00", at, end) >= 0
        or find(b"\xf0\x80", at, end) >= 0
    )


def _read_whole_node(wire: Wire, start: int, stop: int, *, into: Graph, depth: int) -> str:
    node = read_node(wire, start, stop)
    for begin, end in node.tensors:
        _keep(into, read_tensor(wire, begin, end))
    for begin, end in node.sparse_tensors:
        for tensor in read_sparse_tensor(wire, begin, end):
            _keep(into, tensor)
    for begin, end in node.graphs:
        read_graph(wire, begin, end, into=into, depth=depth + 1)
    if node.operator in LOOKED_INTO and node.operator != "Constant":
        into.nodes.append(node._replace(tensors=(), sparse_tensors=(), graphs=()))
    return node.operator


def _keep(into: Graph, tensor: Tensor) -> None:
    into.tensors.append(tensor)
    if len(into.tensors) > TENSORS:
        raise Malformed(f"it has more than {TENSORS} tensors")
