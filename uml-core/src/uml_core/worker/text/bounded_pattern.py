"""Patterns that a model brings, which are programs of its author: they are given up when they take too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from uml_core.errors import InternalServerError

SECONDS: Final = 0.5
"""For one look at an answer, in which nobody else gets a token; a usual pattern needs some microseconds."""


@frozen
class BoundedPattern:
    """A compiled pattern of the library ``regex``."""

    pattern: Any

    def search(self, text: str, at: int = 0, *, partial: bool = False) -> Any:
        """The first match from *at* on.

        :raises InternalServerError: it took too long
        """
        try:
            return self.pattern.search(text, at, partial=partial, timeout=SECONDS)
        except TimeoutError:
            raise _too_slow() from None

    def finditer(self, text: str) -> Iterator[Any]:
        """All matches.

        :raises InternalServerError: as :meth:`search`
        """
        try:
            yield from self.pattern.finditer(text, timeout=SECONDS)
        except TimeoutError:
            raise _too_slow() from None


def bound(told: Any) -> Any:
    """Bound the patterns of a response template of transformers', and give it back."""
    told.start_anchor_re = BoundedPattern(told.start_anchor_re)
    for field in told.fields.values():
        field.open_re = field.open_re and BoundedPattern(field.open_re)
        field.close_re = field.close_re and BoundedPattern(field.close_re)
    return told


def try_tags(text: str, arguments: Mapping[str, Any]) -> None:
    """Look for the tags in *text* that transformers' ``xml-inline`` will look for without a bound.

    :raises ValueError: it takes too long
    """
    import regex

    if not isinstance(pattern := arguments.get("tag_pattern"), str):
        return
    inner = (arguments.get("value_parser") or {}).get("args", {})
    try:
        for found in BoundedPattern(regex.compile(pattern, regex.DOTALL)).finditer(text):
            try_tags(found.groupdict().get("value") or "", inner)
    except InternalServerError as error:
        raise ValueError(str(error)) from None


def _too_slow() -> InternalServerError:
    return InternalServerError(
        "the model's own description of its answers has a pattern that takes too long; "
        "remove `response_template` from its tokenizer_config.json"
    )
