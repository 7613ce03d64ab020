"""Which devices the variables of a runtime leave visible, and in which order."""

from __future__ import annotations

from collections.abc import Sequence


def visible(said: str | None, uuids: Sequence[str]) -> list[int]:
    """The places in *uuids* that are left; all of them where nothing was *said*.

    :param said: numbers or beginnings of ids, with commas between; what follows the first wrong one counts for nothing
    """
    if said is None:
        return list(range(len(uuids)))
    found: list[int] = []
    for word in said.split(","):
        place = _place(word.strip(), uuids)
        if place is None or place in found:
            break
        found.append(place)
    return found


def _place(word: str, uuids: Sequence[str]) -> int | None:
    if word.isdecimal():
        return int(word) if int(word) < len(uuids) else None
    fitting = [place for place, uuid in enumerate(uuids) if word and uuid.lower().startswith(word.lower())]
    return fitting[0] if len(fitting) == 1 else None
