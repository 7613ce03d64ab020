"""Fetch a model that a store offers: said first, agreed to, with a bar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from uml_core.cli.output import ask, human_bytes, say
from uml_core.cli.progress import download
from uml_core.errors import ModelNotFoundError

if TYPE_CHECKING:
    from uml_core.types import Offer, StoredModel

STARTER = "starter"


def description(offer: Offer) -> str:
    """Source, size and licence in one sentence part."""
    return f"{offer.title}: {human_bytes(offer.size_bytes)}, licence {offer.license}, from {offer.source}"


def fetch_agreed(offer: Offer, *, why: str, agreed: bool) -> StoredModel:
    """Fetch what ``uml run`` needs, if somebody wants that.

    :param why: the sentence part before the offer
    :param agreed: the person said ``--pull``; else a terminal is asked
    :raises ModelNotFoundError: nobody agreed, or there is nobody to ask
    :raises PullError: it could not be fetched
    """
    said = f"{why}; UML can fetch {description(offer)}"
    if agreed:
        say(f"{said[:1].upper()}{said[1:]}.")
    elif not _asked(said, "Fetch it now?"):
        raise ModelNotFoundError(f"{said}; to do so, run `uml pull {STARTER}`, or add --pull")
    return fetch(offer)


def fetch(offer: Offer) -> StoredModel:
    """Fetch it, with a bar on a terminal.

    :raises PullError: it could not be fetched
    """
    with download(offer.title) as progress:
        stored = offer.fetch(progress)
    say(f"fetched {stored.id}: {human_bytes(stored.size_bytes)} in {stored.path.parent}", style="dim")
    return stored


def _asked(said: str, question: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    say(f"{said[:1].upper()}{said[1:]}.")
    return ask(question)
