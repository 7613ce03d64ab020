"""What the text layer asks of a model's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llguidance import LLTokenizer


class Tokenizer(Protocol):
    """Text to tokens and back. Safe to be used from several threads.

    ``n_vocab`` counts the logits that the model gives, padding of the vocabulary included. ``ends`` are the tokens with
    which the model says that it is done. ``names`` has the texts that a chat template asks for: ``bos_token``,
    ``eos_token`` …, where the model has them. ``chat_template`` is the model's own, ``chat_templates`` has further ones
    by name (``tool_use``). ``response_template`` is transformers' description of how to read an answer, if the model
    brings one. ``defaults`` has what the model's makers say of sampling, under the names of a request's fields
    (``temperature``, ``top_k`` …). ``adds_to_chats``: a chat's prompt gets the special tokens, too, that its template
    left out: llama.cpp does that, transformers doesn't.
    """

    n_vocab: int
    ends: frozenset[int]
    names: Mapping[str, str]
    chat_template: str | None
    chat_templates: Mapping[str, str]
    response_template: Mapping[str, object] | None
    defaults: Mapping[str, float]
    adds_to_chats: bool

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        """Turn text into tokens. Special tokens that it spells out are taken as such.

        :param add_special: put those around it that the model wants around every text (``<s>``), unless it has them
        """
        ...

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token, which may end within a character.

        :param special: give the text of special tokens too, instead of nothing
        """
        ...

    def find(self, text: str) -> int | None:
        """The one special token that is written *text*, if there is one."""
        ...

    def constraints(self) -> LLTokenizer:
        """Give the vocabulary to llguidance; made when it is first asked for, which takes a second."""
        ...


def decode(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    """The text of *tokens*; half a character becomes U+FFFD."""
    return b"".join(tokenizer.piece(token, special=True) for token in tokens).decode("utf-8", "replace")
