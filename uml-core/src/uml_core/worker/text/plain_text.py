"""A vocabulary for llguidance, to which letters are letters, even where they spell a special token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llguidance import LLTokenizer

_MARK = b"\xff"
"""llguidance's mark of special tokens, which is in no text."""


def as_plain_text(made: LLTokenizer) -> LLTokenizer:
    """*made* again, with which a grammar's text is never a special token: llguidance would let that be written.

    Tokenizers know special tokens by their text, and llguidance asks them for the tokens of what a grammar wants.
    """
    from llguidance import LLTokenizer, TokenizerWrapper

    return LLTokenizer(TokenizerWrapper(_PlainText(made)), n_vocab=made.vocab_size, eos_token=made.eos_tokens)


class _PlainText:
    """What llguidance's wrapper asks for."""

    bos_token_id = None

    def __init__(self, made: LLTokenizer) -> None:
        self._made = made
        self.eos_token_id = made.eos_token
        texts = [made.decode_bytes([token]) for token in range(made.vocab_size)]
        special = {token for token in range(made.vocab_size) if made.is_special_token(token)}
        self.tokens = [_MARK + text if token in special else text for token, text in enumerate(texts)]
        longest_first = sorted((texts[token] for token in special if texts[token]), key=len, reverse=True)
        self._special = re.compile(b"(" + b"|".join(map(re.escape, longest_first)) + b")") if longest_first else None

    def __call__(self, text: bytes) -> list[int]:
        tokens: list[int] = []
        parts = self._special.split(text) if self._special else [text]
        for at, part in enumerate(parts):  # every second one spells a special token
            tokens += self._made.greedy_tokenize(part.decode()) if at % 2 else self._made.tokenize_bytes(part)
        return tokens
