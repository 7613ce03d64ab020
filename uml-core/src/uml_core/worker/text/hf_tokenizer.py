"""A vocabulary that Hugging Face's tokenizers read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from uml_core.errors import InvalidModelFileError
from uml_core.worker.text.plain_text import as_plain_text
from uml_core.worker.text.token_bytes import find_bytes
from uml_core.worker.text.tokenizer_files import find_vocabulary_size, read_config, read_generation

if TYPE_CHECKING:
    from llguidance import LLTokenizer
    from tokenizers import Tokenizer

_DEFAULTS: Final = {  # what generation_config.json calls it, and what a request does
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repetition_penalty": "repeat_penalty",
}


class HuggingFaceTokenizer:
    """``tokenizer.json`` with what the files beside it say of special tokens and chat templates."""

    adds_to_chats = False

    def __init__(
        self, tokenizer: Tokenizer, *, config: Mapping[str, Any], generation: Mapping[str, Any], n_vocab: int
    ) -> None:
        """Take a tokenizer, which gets no padding and cuts nothing any more.

        :param config: what ``tokenizer_config.json`` says; ``chat_templates`` has further templates by name
        :param generation: what ``generation_config.json`` says
        :param n_vocab: how many logits the model gives
        """
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.n_vocab = n_vocab
        self.names: Mapping[str, str] = dict(_names(config))
        self.ends = frozenset(self._ends(generation))
        self.chat_template: str | None = config.get("chat_template")
        self.chat_templates: Mapping[str, str] = config.get("chat_templates") or {}
        self.response_template: Mapping[str, object] | None = config.get("response_template")
        self.defaults: Mapping[str, float] = dict(_defaults(generation))
        self._adds = config.get("add_bos_token"), config.get("add_eos_token")
        self._added = tokenizer.get_added_tokens_decoder()
        self._bytes = find_bytes(tokenizer)
        self._making = threading.Lock()
        self._constraints: LLTokenizer | None = None

    @classmethod
    def from_folder(cls, folder: Path, *, n_vocab: int | None = None) -> Self:
        """Read the files beside a model.

        :param n_vocab: how many logits the model gives; as ``config.json`` says
        :raises InvalidModelFileError: there's no ``tokenizer.json``, or it can't be read
        """
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise InvalidModelFileError(f"'{folder}' has no tokenizer.json; convert its tokenizer with transformers")
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers has no class of its own for it
            raise InvalidModelFileError(f"'{path}' can't be read: {error}") from error
        size = n_vocab or find_vocabulary_size(folder) or tokenizer.get_vocab_size()
        return cls(tokenizer, config=read_config(folder), generation=read_generation(folder), n_vocab=size)

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        bos = self.names.get("bos_token")
        written = bool(bos) and text.startswith(str(bos))
        if not add_special or self._adds[0] is not None or written:
            tokens: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
            return self._surrounded(tokens, written=written) if add_special else tokens
        return list(self.tokenizer.encode(text).ids)

    def piece(self, token: int, *, special: bool = False) -> bytes:
        if (added := self._added.get(token)) is not None:
            return added.content.encode() if special or not added.special else b""
        text = self.tokenizer.id_to_token(token)
        return self._bytes(text) if text is not None else b""

    def find(self, text: str) -> int | None:
        token: int | None = self.tokenizer.token_to_id(text)
        return token if token in self._added else None

    def constraints(self) -> LLTokenizer:
        from llguidance import LLTokenizer

        with self._making:
            if self._constraints is None:
                size = max(self.n_vocab, self.tokenizer.get_vocab_size())
                ends = sorted(self.ends) or None
                made = LLTokenizer(self.tokenizer.to_str(), n_vocab=size, eos_token=ends, slices=[])
                self._constraints = as_plain_text(made)
            return self._constraints

    def _surrounded(self, tokens: list[int], *, written: bool) -> list[int]:
        """As the configuration wants it, where it says so: tokenizer.json may know nothing of it."""
        bos, eos = self._adds
        before = self._known("bos_token") if bos and not written else []
        return [*before, *tokens, *(self._known("eos_token") if eos else [])]

    def _known(self, name: str) -> list[int]:
        token = self.tokenizer.token_to_id(self.names[name]) if name in self.names else None
        return [] if token is None else [token]

    def _ends(self, generation: Mapping[str, Any]) -> Iterator[int]:
        said = generation.get("eos_token_id")
        yield from said if isinstance(said, list) else [] if said is None else [said]
        yield from self._known("eos_token")


def _names(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        text = value.get("content") if isinstance(value, Mapping) else value
        if name.endswith("_token") and isinstance(text, str):
            yield name, text


def _defaults(generation: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, asked in _DEFAULTS.items():
        value = generation.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield asked, float(value)
