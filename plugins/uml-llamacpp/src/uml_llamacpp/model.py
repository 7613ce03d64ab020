"""The weights and the vocabulary of one model, through llama.cpp's C interface."""

from __future__ import annotations

import ctypes
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
    """A loaded model. ``pointer`` and ``vocab`` are llama.cpp's; ``n_vocab`` counts the tokens that it knows."""

    def __init__(self, path: Path, options: Options, *, log: EngineLog, progress: Callable[[float], None]) -> None:
        """Load it.

        :raises InvalidModelFileError: llama.cpp finds fault with the file
        :raises InsufficientMemoryError: it lacks memory
        :raises ModelLoadError: it does not know such models, or can't make text with them
        """
        c.llama_backend_init()
        c.llama_supports_gpu_offload()  # now it has looked for GPUs; that there are none is no complaint of this load
        log.forget()
        self.pointer = c.llama_model_load_from_file(os.fsencode(path), model_parameters(options, progress))
        if self.pointer is None:
            why = log.why()
            raise failure(why, InvalidModelFileError)(f"llama.cpp can't load '{path}': {why}")
        if not c.llama_model_has_decoder(self.pointer) or c.llama_model_has_encoder(self.pointer):
            raise ModelLoadError(
                f"'{path}' holds no model of the kind that goes on with a text; no other is served here"
            )
        self.vocab = c.llama_model_get_vocab(self.pointer)
        self.n_vocab = c.llama_vocab_n_tokens(self.vocab)
        self.bos = self._written(c.llama_vocab_bos(self.vocab))
        self.eos = self._written(c.llama_vocab_eos(self.vocab))
        self.template = self._metadata("tokenizer.chat_template")

    def close(self) -> None:
        c.llama_model_free(self.pointer)

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Turn text into tokens. A special token that it spells out is taken as such, as llama.cpp's server does."""
        raw = text.encode()
        size = len(raw) + 2
        tokens = (c.llama_token * size)()
        count = c.llama_tokenize(self.vocab, raw, len(raw), tokens, size, add_special, True)  # noqa: FBT003
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of a token, which may end within a character; nothing for a control token."""
        count, size = -64, 0
        while count < 0:
            size = -count
            buffer = ctypes.create_string_buffer(size)
            count = c.llama_token_to_piece(self.vocab, token, buffer, size, 0, False)  # noqa: FBT003
        return buffer.raw[:count]

    def ends(self, token: int) -> bool:
        """Whether the model says with *token* that it is done."""
        return bool(c.llama_vocab_is_eog(self.vocab, token))

    def _written(self, token: int) -> str:
        return c.llama_vocab_get_text(self.vocab, token).decode("utf-8", "replace") if token >= 0 else ""

    def _metadata(self, key: str) -> str | None:
        size = c.llama_model_meta_val_str(self.pointer, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        c.llama_model_meta_val_str(self.pointer, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")
