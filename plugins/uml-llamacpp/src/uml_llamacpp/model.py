"""The weights of one model, through llama.cpp's C interface."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import llama_cpp as c

from uml_core.errors import InsufficientMemoryError, InvalidModelFileError, ModelLoadError, UMLError
from uml_llamacpp.log import EngineLog
from uml_llamacpp.options import Options
from uml_llamacpp.parameters import model_parameters

_MEMORY = ("allocat", "bad_alloc", "insufficient memory", "out of memory")


def failure(why: str, otherwise: type[UMLError]) -> type[UMLError]:
    """The kind of error that llama.cpp's complaint *why* is about."""
    if any(word in why for word in _MEMORY):
        return InsufficientMemoryError
    return ModelLoadError if "unknown model architecture" in why else otherwise


class Model:
    """A loaded model; ``pointer`` is llama.cpp's."""

    def __init__(self, path: Path, options: Options, *, log: EngineLog, progress: Callable[[float], None]) -> None:
        """Load it.

        :raises InvalidModelFileError: llama.cpp finds fault with the file
        :raises InsufficientMemoryError: it lacks memory
        :raises ModelLoadError: it does not know such models
        """
        c.llama_backend_init()
        c.llama_supports_gpu_offload()  # now it has looked for GPUs; that there are none is no complaint of this load
        log.forget()
        self.pointer = c.llama_model_load_from_file(os.fsencode(path), model_parameters(options, progress))
        if self.pointer is None:
            why = log.why()
            raise failure(why, InvalidModelFileError)(f"llama.cpp can't load '{path}': {why}")

    def close(self) -> None:
        c.llama_model_free(self.pointer)
