"""GGUF: a bounded reader of headers, versions 2 and 3, little endian."""

from uml_core.inspection.gguf.cursor import Malformed
from uml_core.inspection.gguf.header import Header, parse_header, read_header
from uml_core.inspection.gguf.shards import first_shard
from uml_core.inspection.gguf.source import NAME, claims, read
from uml_core.inspection.gguf.tensors import Tensor
from uml_core.inspection.gguf.values import LeftInFile, read_values

__all__ = (
    "NAME",
    "Header",
    "LeftInFile",
    "Malformed",
    "Tensor",
    "claims",
    "first_shard",
    "parse_header",
    "read",
    "read_header",
    "read_values",
)
