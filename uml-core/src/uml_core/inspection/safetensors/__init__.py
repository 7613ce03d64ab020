"""safetensors: a bounded reader of headers, of one file or of the parts that an index names."""

from uml_core.inspection.safetensors.header import Header, read_header
from uml_core.inspection.safetensors.source import LAYOUT, MARKS, NAME, SUFFIXES, claims, read

__all__ = ("LAYOUT", "MARKS", "NAME", "SUFFIXES", "Header", "claims", "read", "read_header")
