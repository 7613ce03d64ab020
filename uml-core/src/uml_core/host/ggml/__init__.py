"""What can be known of ggml, the library under several engines, from outside: its build, and its log."""

from uml_core.host.ggml.buffers import read_buffer
from uml_core.host.ggml.build import HIDDEN_DEVICES, accelerators

__all__ = ("HIDDEN_DEVICES", "accelerators", "read_buffer")
