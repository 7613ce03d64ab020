"""What can be known of ggml, the library under several engines, from outside: its build, its log, its layout."""

from uml_core.host.ggml.buffers import read_buffer, read_overhead
from uml_core.host.ggml.build import accelerators
from uml_core.host.ggml.probe import probe
from uml_core.host.ggml.view import View

__all__ = ("View", "accelerators", "probe", "read_buffer", "read_overhead")
