"""A model's vocabulary and its chat templates, as the text layer asks for them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import llama_cpp as c

from uml_core.worker.text.plain_text import as_plain_text

if TYPE_CHECKING:
    from llguidance import LLTokenizer

_SPECIAL: Final = c.LLAMA_TOKEN_ATTR_CONTROL | c.LLAMA_TOKEN_ATTR_USER_DEFINED
_TEMPLATE: Final = "tokenizer.chat_template"
_NAMES: Final = {
    "bos_token": c.llama_vocab_bos,
    "eos_token": c.llama_vocab_eos,
    "pad_token": c.llama_vocab_pad,
    "sep_token": c.llama_vocab_sep,
}
_DEFAULTS: Final = {  # what the file calls it, and what a request does
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_repeat": "repeat_penalty",
}


class Vocabulary:
    """llama.cpp's, whose functions may be called by several threads at once."""

    adds_to_chats = True
    response_template: Mapping[str, object] | None = None

    def __init__(self, model: Any) -> None:
        self._vocab = c.llama_model_get_vocab(model)
        self._making = threading.Lock()
        self._constraints: LLTokenizer | None = None
        self.n_vocab: int = c.llama_vocab_n_tokens(self._vocab)
        self.ends = frozenset(token for token in range(self.n_vocab) if c.llama_vocab_is_eog(self._vocab, token))
        self.names: Mapping[str, str] = dict(self._names())
        said = dict(_metadata(model))
        self.chat_template: str | None = said.get(_TEMPLATE)
        self.chat_templates: Mapping[str, str] = {
            key.removeprefix(f"{_TEMPLATE}."): text for key, text in said.items() if key.startswith(f"{_TEMPLATE}.")
        }
        self.defaults: Mapping[str, float] = {name: float(said[key]) for key, name in _DEFAULTS.items() if key in said}

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        bos = self.names.get("bos_token")
        raw = text.encode()
        size = len(raw) + 2
        tokens = (c.llama_token * size)()
        add_special = add_special and not (bos and text.startswith(bos))
        count = c.llama_tokenize(self._vocab, raw, len(raw), tokens, size, add_special, True)  # noqa: FBT003
        return tokens[:count]  # type: ignore[no-any-return]

    def piece(self, token: int, *, special: bool = False) -> bytes:
        count, size = -64, 0
        while count < 0:
            size = -count
            buffer = ctypes.create_string_buffer(size)
            count = c.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
        return buffer.raw[:count]

    def find(self, text: str) -> int | None:
        tokens = self.encode(text, add_special=False)
        special = len(tokens) == 1 and c.llama_vocab_get_attr(self._vocab, tokens[0]) & _SPECIAL
        return tokens[0] if special else None

    def constraints(self) -> LLTokenizer:
        with self._making:
            if self._constraints is None:
                self._constraints = self._make_constraints()
            return self._constraints

    def _make_constraints(self) -> LLTokenizer:
        """As llguidance.llamacpp does it, which calls what llama-cpp-python will take away."""
        from llguidance import LLTokenizer

        tokenize = ctypes.cast(c.llama_cpp._lib.llama_tokenize, ctypes.c_void_p).value  # noqa: SLF001
        made = LLTokenizer.from_llamacpp(
            tokens=[self._marked(token) for token in range(self.n_vocab)],
            vocab_ptr=self._vocab,
            tokenize_fptr=tokenize,
            eos_token=sorted(self.ends) or None,
            slices=[],
        )
        return as_plain_text(made)

    def _marked(self, token: int) -> bytes:
        """The text of a token, after a byte that no text has if it is a special one."""
        text = self.piece(token, special=True)
        kind = c.llama_vocab_get_attr(self._vocab, token)
        tag = kind & c.LLAMA_TOKEN_ATTR_USER_DEFINED and text.startswith(b"<") and text.endswith(b">")
        return b"\xff" + text if tag or kind & c.LLAMA_TOKEN_ATTR_CONTROL else text

    def _names(self) -> Iterator[tuple[str, str]]:
        for name, find in _NAMES.items():
            if (token := find(self._vocab)) >= 0:
                yield name, c.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")


def _metadata(model: Any) -> Iterator[tuple[str, str]]:
    """What the file says of its templates and of sampling; lists of the whole vocabulary stay where they are."""
    for at in range(c.llama_model_meta_count(model)):
        key = _text(c.llama_model_meta_key_by_index, model, at)
        if key.startswith(_TEMPLATE) or key in _DEFAULTS:
            yield key, _text(c.llama_model_meta_val_str_by_index, model, at)


def _text(read: Any, model: Any, at: int) -> str:
    buffer = ctypes.create_string_buffer(256)
    size = read(model, at, buffer, len(buffer))
    if size >= len(buffer):
        buffer = ctypes.create_string_buffer(size + 1)
        read(model, at, buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace")
