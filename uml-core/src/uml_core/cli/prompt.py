"""What ``uml run`` was asked: which words name a model, and which are the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from attrs import frozen

STDIN = "-"


@frozen
class Asked:
    """The model that was named and the prompt that was given, each None when there was none."""

    model: str | None
    prompt: str | None


def understand(words: Sequence[str], *, model: str | None, is_model: Callable[[str], bool], stdin: TextIO) -> Asked:
    """Tell a model from a prompt: the first word is a model if it is one or has no space, else all is the prompt.

    ``-`` among the words, or no prompt at all while something is piped in, reads the prompt from *stdin*.

    :param model: what ``-m`` said; then all words are the prompt
    :param is_model: whether a ref resolves on this machine; asked only for a first word with a space in it
    """
    rest = list(words)
    if model is None and rest and rest[0] != STDIN and (not _has_space(rest[0]) or is_model(rest[0])):
        model = rest.pop(0)
    if not rest and not stdin.isatty():
        rest = [STDIN]
    prompt = " ".join(stdin.read().strip() if word == STDIN else word for word in rest)
    return Asked(model, prompt if prompt.strip() else None)


def _has_space(word: str) -> bool:
    return any(letter.isspace() for letter in word)
