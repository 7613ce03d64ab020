"""Which models can answer a person, the likeliest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

TASKS = frozenset({"text-generation", "image-text-to-text", "audio-text-to-text"})


def answering(cards: Iterable[Mapping[str, Any]], formats: Collection[str]) -> list[str]:
    """The ids of the models that write text and that an installed backend reads: what was used last comes first.

    A model whose reader doesn't say what it's for may be one of them.

    :param cards: as ``GET /models`` gives them, in the order that the rest keeps
    :param formats: what the installed backends read
    """
    able = [card for card in cards if _is_able(card, formats)]
    able.sort(key=lambda card: str((card.get("usage") or {}).get("last_used") or ""), reverse=True)
    return [str(card["id"]) for card in able]


def _is_able(card: Mapping[str, Any], formats: Collection[str]) -> bool:
    tasks = card.get("tasks") or ()
    return (
        card.get("kind") == "model"
        and bool(card.get("complete"))
        and card.get("format") in formats
        and (not tasks or not TASKS.isdisjoint(tasks))
    )
