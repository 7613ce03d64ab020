"""GGUF models of random weights, of real architectures and any size: a real engine loads them and writes nonsense."""

from uml_core.testing.random_gguf.architectures import ARCHITECTURES
from uml_core.testing.random_gguf.model import write_random_gguf
from uml_core.testing.random_gguf.sizes import Sizes

__all__ = ("ARCHITECTURES", "Sizes", "write_random_gguf")
