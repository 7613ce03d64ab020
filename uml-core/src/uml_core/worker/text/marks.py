"""Texts as a grammar must write them: a special token is none of its letters, but one thing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from uml_core.worker.text.tokenizer import Tokenizer

_LIKELY = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
"""What marks look like in every family."""


class Marks:
    """Writes texts for llguidance, in which the special tokens of one vocabulary are numbers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def number(self, mark: str) -> int | None:
        """The special token that *mark* is; None if it is only text to llguidance."""
        token = self._tokenizer.find(mark)
        return token if token is not None and self._tokenizer.constraints().is_special_token(token) else None

    def found(self, text: str) -> list[str]:
        """What looks like marks in *text*."""
        return _LIKELY.findall(text)

    def written(self, text: str) -> str:
        """*text* as an expression of Lark; ``""`` for no text."""
        return " ".join(self._parts(text)) or '""'

    def _parts(self, text: str) -> Iterator[str]:
        at, plain = 0, ""
        for found in _LIKELY.finditer(text):
            plain += text[at : found.start()]
            at = found.end()
            if (number := self.number(found[0])) is None:
                plain += found[0]
                continue
            if plain:
                yield quoted(plain)
            plain = ""
            yield f"<[{number}]>"
        if plain := plain + text[at:]:
            yield quoted(plain)


def quoted(text: str) -> str:
    """A text as a string of Lark."""
    return json.dumps(text, ensure_ascii=False)


def pattern(text: str) -> str:
    """A text as part of a regular expression between slashes."""
    return re.sub(r"([][\\^$.|?*+(){}/])", r"\\\1", text).replace("\n", r"\n")
