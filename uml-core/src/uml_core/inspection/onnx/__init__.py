"""ONNX: a bounded reader of what stands around a graph's weights, for single graphs and for models of several."""

from uml_core.inspection.onnx.export import MARKS
from uml_core.inspection.onnx.header import Header, parse_header, read_header
from uml_core.inspection.onnx.source import NAME, Graph, claims, read, read_graph_file
from uml_core.inspection.onnx.wire import Malformed, Wire

SUFFIXES = (".onnx",)

__all__ = (
    "MARKS",
    "NAME",
    "SUFFIXES",
    "Graph",
    "Header",
    "Malformed",
    "Wire",
    "claims",
    "parse_header",
    "read",
    "read_graph_file",
    "read_header",
)
