"""Which models somebody wants to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

SEARCHED = ("id", "architecture", "quantization", "license", "format")


@frozen(kw_only=True)
class Wanted:
    """Wishes that a model must meet all of; what is None is no wish. Upper and lower case are the same."""

    task: str | None = None
    format: str | None = None
    store: str | None = None
    query: str | None = None

    def includes(self, card: Mapping[str, Any]) -> bool:
        """Whether the model of *card* meets them; one that was not read yet has no task and no format."""
        stores = [card["store"], *(other["store"] for other in card["also"])]
        return (
            _is_among(self.task, card["tasks"] or ())
            and _is_among(self.format, [card["format"] or ""])
            and _is_among(self.store, stores)
            and self._finds(card)
        )

    def _finds(self, card: Mapping[str, Any]) -> bool:
        if not self.query:
            return True
        also = [other["id"] for other in card["also"]]
        facts = [*(card[fact] or "" for fact in SEARCHED), *card["aliases"], *also]
        text = "\n".join(facts).casefold()
        return all(word in text for word in self.query.casefold().split())


def _is_among(wanted: str | None, said: Any) -> bool:
    return not wanted or wanted.casefold() in (one.casefold() for one in said)
