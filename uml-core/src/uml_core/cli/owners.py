"""Whose a model is: UML removes only its own, and says how the others remove theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uml_core.errors import PermissionDeniedError

WAYS = {
    "ollama": ("Ollama", "`ollama rm {id}` removes it"),
    "huggingface": (
        "the Hugging Face cache",
        "`hf cache rm model/{repository}` removes it (`huggingface-cli delete-cache` before its version 1)",
    ),
    "lmstudio": ("LM Studio", "remove it there, under My Models"),
    "jan": ("Jan", "remove it there, in the settings of its model provider"),
    "gpt4all": ("GPT4All", "remove it there, on the page of models"),
}
"""What people call the programs that keep stores, and how each of them removes a model."""
CACHED = "models--"


def check_own(place: Mapping[str, Any]) -> None:
    """Refuse what another program keeps.

    :param place: as :func:`uml_core.cli.places.places_of` gives it; a place that nothing is known of is not refused
    :raises PermissionDeniedError: it isn't UML's own; the sentence says whose it is, and what removes it
    """
    if place.get("own", True):
        return
    owner, way = WAYS.get(place["store"], (f"the store '{place['store']}'", "remove its files with what keeps them"))
    path = Path(place["path"])
    way = way.format(id=place["id"], repository=_repository(path))
    raise PermissionDeniedError(
        f"'{place['id']}' belongs to {owner}, so UML leaves it alone; {way}", detail=(str(path),)
    )


def _repository(path: Path) -> str:
    """The repository whose folder in the Hugging Face cache *path* lies in."""
    names = [part.removeprefix(CACHED) for part in path.parts if part.startswith(CACHED)]
    return names[-1].replace("--", "/") if names else path.name
