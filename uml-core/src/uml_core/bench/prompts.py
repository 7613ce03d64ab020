"""What a model is asked while it's measured: no two prompts begin alike, so that no cache answers for it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

Messages = Sequence[Mapping[str, Any]]
TASK = "Write a long and detailed story about a ship and its crew, with many chapters. Do not stop early."
TEXT = (
    "the sea was calm that day and the old captain looked at his maps while the crew made ready to leave the harbour "
    "before the wind would turn to the north again as it had done each morning since they came to this quiet island"
)
WORDS_A_TOKEN = 0.95
"""Such plain words are nearly one token each."""


@frozen
class Prompts:
    """Makes prompts; ``with_system`` puts a message before all else that keeps a template from adding its own."""

    with_system: bool = True

    def short(self) -> Messages:
        """A few words that ask for many."""
        return self._messages(TASK)

    def long(self, tokens: int) -> Messages:
        """A prompt of about so many tokens."""
        words, count = TEXT.split(), max(1, round(tokens * WORDS_A_TOKEN))
        start = secrets.randbelow(len(words))
        return self._messages(" ".join(words[(start + at) % len(words)] for at in range(count)))

    def _messages(self, text: str) -> Messages:
        mark = f"Note {secrets.token_hex(4)}."
        said = {"role": "user", "content": f"{mark} {text}"}
        return [{"role": "system", "content": mark}, said] if self.with_system else [said]
