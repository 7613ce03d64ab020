"""What a model may be called by people."""

from __future__ import annotations

from uml_core.errors import BadRequestError
from uml_core.inspection.file import shown

CHARACTERS = 200


def check_alias(alias: str) -> None:
    """Refuse what nobody could type or read.

    :raises BadRequestError: it is empty, too long, or has characters that can't be seen
    """
    if not alias.strip():
        raise BadRequestError("an alias can't be empty; give the model a short name")
    if len(alias) > CHARACTERS:
        raise BadRequestError(
            f"the alias '{shown(alias)}' has {len(alias)} characters; take one of at most {CHARACTERS}"
        )
    if not alias.isprintable() or alias != alias.strip():
        raise BadRequestError(
            f"the alias '{shown(alias)}' has characters that can't be seen; take letters, digits and signs"
        )
