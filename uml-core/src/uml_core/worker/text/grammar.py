"""What an answer must follow, as llguidance understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from uml_core.worker.requests import GenerationRequest
from uml_core.worker.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher


@frozen
class Grammar:
    """A grammar in llguidance's form; ``param`` is the field of the request that it comes from."""

    text: str = field(repr=False)
    param: str

    def matcher(self, tokenizer: Tokenizer) -> LLMatcher:
        """Compile it; a matcher follows one answer, ``deep_copy()`` makes one for another.

        :raises BadRequestError: llguidance can't follow it; the message names what
        """
        raise NotImplementedError


def grammar_of(request: GenerationRequest) -> Grammar | None:
    """What ``response_format``, ``json_schema``, ``grammar``, ``regex`` and their aliases ask for; no tools, no thoughts.

    This is all that a completion may be constrained by.

    :raises BadRequestError: several of them at once, or one that can't be used
    """
    raise NotImplementedError
