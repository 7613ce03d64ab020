"""Projectors beside models: what lets a language model see or hear, in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

from uml_core.registry.variants import variant_of

MARK = "mmproj"
_NO_NAMES = ("", "model")


def is_projector(name: str) -> bool:
    """Whether a file of that name is a projector; llama.cpp and all who make files for it call them so."""
    return MARK in name.lower()


def of_model(stem: str, projectors: Iterable[str], *, alone: bool) -> list[str]:
    """Those of *projectors*, stems of files beside it, that belong to the model whose file is called *stem*.

    :param alone: there is no other model beside them, so that all are its own
    """
    own = _plain(variant_of(stem)[0])
    return [name for name in projectors if alone or _fits(_plain(_model_in(name)), own)]


def _model_in(projector: str) -> str:
    base, _ = variant_of(projector)
    return re.sub(MARK, "", base, flags=re.IGNORECASE)


def _fits(named: str, own: str) -> bool:
    return named in _NO_NAMES or named in own or own in named


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
