"""Reads texts with a ``tokenizer.json``, as models of Hugging Face want them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from uml_core.errors import BadRequestError, InvalidModelFileError
from uml_core.worker.encode.files import read_json
from uml_core.worker.encode.model import Encoded
from uml_core.worker.encode.requests import Text

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class HuggingFaceEncoding:
    """What an :class:`EncoderModel` may take its ``encode`` and ``padding`` from."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take over *tokenizer*; it neither cuts nor fills up from now on, which is the layer's to do."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.n_vocab: int = tokenizer.get_vocab_size()
        self.padding = 0

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the files of a model.

        :raises InvalidModelFileError: there is no ``tokenizer.json``, or it can't be read
        """
        from tokenizers import Tokenizer

        file = folder / "tokenizer.json"
        try:
            encoding = cls(Tokenizer.from_file(str(file)))
        except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
            raise InvalidModelFileError(f"'{file}' can't be read: {error}") from None
        encoding.padding = encoding._padding_of(folder)
        return encoding

    def encode(self, text: Text, pair: str | None = None) -> Encoded:
        """See :meth:`EncoderModel.encode`."""
        if isinstance(text, tuple):
            self._check(text)
            return Encoded(tokens=text, types=(0,) * len(text))
        read = self._tokenizer.encode(text, pair)
        return Encoded(tokens=read.ids, types=read.type_ids)

    def _check(self, tokens: tuple[int, ...]) -> None:
        if not all(0 <= token < self.n_vocab for token in tokens):
            raise BadRequestError(f"a token number must be below {self.n_vocab}", param="input")

    def _padding_of(self, folder: Path) -> int:
        config = read_json(folder / "tokenizer_config.json", dict) or {}
        said = config.get("pad_token")
        word = said.get("content") if isinstance(said, dict) else said
        return (self._tokenizer.token_to_id(word) if isinstance(word, str) else None) or 0
