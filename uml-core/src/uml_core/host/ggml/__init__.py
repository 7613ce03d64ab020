"""What can be known of ggml, the library under several engines, from outside: its build, its log, its layout."""

from uml_core.host.ggml.buffers import read_buffer, read_overhead
from uml_core.host.ggml.build import HIDDEN_DEVICES, accelerators
from uml_core.host.ggml.probe import probe

__all__ = ("HIDDEN_DEVICES", "accelerators", "probe", "read_buffer", "read_overhead")
