"""How a model writes its tool calls and its thoughts."""

from __future__ import annotations

from attrs import frozen

from uml_core.worker.text.tokenizer import Tokenizer


@frozen
class Family:
    """One way of writing."""

    name: str

    def shows(self, special: str) -> bool:
        """Whether the special token that is written *special* is part of it."""
        raise NotImplementedError


def find_family(tokenizer: Tokenizer) -> Family:
    """The family of a model: by its own response template, its chat template, its special tokens."""
    raise NotImplementedError
