"""What stands around the weights of one ONNX file: versions, notes and the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field, frozen

from uml_core.inspection.onnx.graph import Graph, read_function, read_graph, read_training
from uml_core.inspection.onnx.node import Node
from uml_core.inspection.onnx.tensor import Tensor, read_entry
from uml_core.inspection.onnx.value import Value
from uml_core.inspection.onnx.wire import Malformed, Wire, check_unread, open_wire, signed

KEPT_NOTE_BYTES = 2**20
KEPT_NOTES_BYTES = 4 * 2**20
NOTES = 10_000
OPSETS = 1_000
MODEL_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26))
UNREAD = frozenset((0x22, 0x28, 0x32, 0xD2))


@frozen(kw_only=True)
class Header:
    """The head of a model; ``inputs`` are those that whoever runs it has to give.

    ``notes`` are its ``metadata_props`` but those too long to keep. ``tensors`` are those of all graphs in it,
    ``operators`` says how often each is used, and ``nodes`` are those that tell of quantization and attention.
    """

    ir_version: int
    producer: str
    producer_version: str
    opsets: Mapping[str, int]
    notes: Mapping[str, str] = field(repr=False)
    graph_name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    tensors: tuple[Tensor, ...] = field(repr=False)
    operators: Counter[str] = field(repr=False)
    nodes: tuple[Node, ...] = field(repr=False)
    size_bytes: int


@define
class _Model:
    ir_version: int = 0
    producer: str = ""
    producer_version: str = ""
    opsets: dict[str, int] = field(factory=dict)
    notes: dict[str, str] = field(factory=dict)
    notes_bytes: int = 0
    graph: Graph = field(factory=Graph)


def read_header(path: Path) -> Header:
    """Read and check the head of *path*, bounded in time and memory; weights are skipped.

    :raises InvalidModelFileError: the file can't be read, or breaks the format
    """
    with open_wire(path) as wire:
        return parse_header(wire)


def parse_header(wire: Wire) -> Header:
    """Read a ``ModelProto`` that fills the file.

    :raises Malformed: it breaks the format
    """
    model = _Model()
    for tag, value, end in wire.fields(0, wire.size_bytes):
        if tag == 0x08:
            model.ir_version = signed(value)
        elif tag == 0x3A:
            read_graph(wire, value, end, into=model.graph)
        elif tag == 0xCA:
            read_function(wire, value, end, into=model.graph)
        elif tag == 0xA2:
            read_training(wire, value, end, into=model.graph)
        else:
            _read_note(wire, (tag, value, end), into=model)
    _check(model)
    return _header(model, wire.size_bytes)


def _read_note(wire: Wire, place: tuple[int, int, int], *, into: _Model) -> None:
    tag, value, end = place
    if tag == 0x12:
        into.producer = wire.text(value, end)
    elif tag == 0x1A:
        into.producer_version = wire.text(value, end)
    elif tag == 0x42:
        _read_opset(wire, value, end, into=into)
    elif tag == 0x72:
        _read_metadata(wire, value, end, into=into)
    elif tag not in UNREAD:
        check_unread(tag, MODEL_FIELDS, "a model")


def _read_opset(wire: Wire, start: int, stop: int, *, into: _Model) -> None:
    domain, version = "", 0
    for tag, value, end in wire.fields(start, stop):
        if tag == 0x0A:
            domain = wire.text(value, end)
        elif tag == 0x10:
            version = signed(value)
        else:
            check_unread(tag, (1, 2), "an operator set")
    into.opsets[domain or "ai.onnx"] = version
    if len(into.opsets) > OPSETS:
        raise Malformed(f"it names more than {OPSETS} operator sets")


def _read_metadata(wire: Wire, start: int, stop: int, *, into: _Model) -> None:
    into.notes_bytes += stop - start
    if stop - start > KEPT_NOTE_BYTES or into.notes_bytes > KEPT_NOTES_BYTES:
        return
    key, value = read_entry(wire, start, stop, most=KEPT_NOTE_BYTES)
    into.notes[key] = value
    if len(into.notes) > NOTES:
        raise Malformed(f"it has more than {NOTES} notes")


def _check(model: _Model) -> None:
    if model.ir_version < 1:
        raise Malformed("it doesn't say which version of ONNX it is")
    if not model.graph.node_count:
        raise Malformed("it holds no graph with an operator in it")
    if model.ir_version >= 3 and not model.opsets:
        raise Malformed("it names no operator set")


def _header(model: _Model, size_bytes: int) -> Header:
    graph = model.graph
    own = {tensor.name for tensor in graph.tensors}  # up to IR version 3, weights are listed as inputs too
    return Header(
        ir_version=model.ir_version,
        producer=model.producer,
        producer_version=model.producer_version,
        opsets=model.opsets,
        notes=model.notes,
        graph_name=graph.name,
        inputs=tuple(value for value in graph.inputs if value.name not in own),
        outputs=tuple(graph.outputs),
        tensors=tuple(graph.tensors),
        operators=graph.operators,
        nodes=tuple(graph.nodes),
        size_bytes=size_bytes,
    )
