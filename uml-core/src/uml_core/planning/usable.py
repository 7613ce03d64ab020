"""Whether a model may be loaded at all, before any backend is asked."""

from __future__ import annotations

from collections.abc import Sequence

from uml_core.errors import InvalidModelFileError, PermissionDeniedError, UnprocessableEntityError
from uml_core.inspection.file import shown
from uml_core.settings import Settings
from uml_core.types import ModelCard

MOST = 3
NO_MODELS = {
    "projector": "the projector of a model that sees or hears: load the model that it belongs to",
    "adapter": "an adapter, a change to another model: load the model that it was made for",
    "imatrix": "no model: it holds the statistics that another one was quantized with",
    "other": "no model: it holds data about one, or lacks the weights",
}


def require_usable(model_id: str, model: ModelCard, *, settings: Settings) -> None:
    """Refuse what is no model, what lacks files, and what could run code out of its files.

    :raises UnprocessableEntityError: it is only a part of a model
    :raises InvalidModelFileError: files are missing; the message has their names
    :raises PermissionDeniedError: it is stored as pickles, and the settings don't allow those
    """
    name = shown(model_id)
    if model.kind != "model":
        raise UnprocessableEntityError(f"'{name}' is {NO_MODELS[model.kind]}")
    if model.missing:
        raise InvalidModelFileError(f"'{name}' is not complete: {_listed(model.missing)}; download it again")
    if "pickle" in model.hazards and not settings.allow_pickles:
        raise PermissionDeniedError(
            f"'{name}' is stored as pickles, which may run code when they are read; get it as safetensors or GGUF, or, "
            "if you trust who made it, set `allow_pickles = true` in uml.toml"
        )


def _listed(missing: Sequence[str]) -> str:
    names = [f"'{shown(name)}'" for name in missing[:MOST]]
    more = [f"{len(missing) - MOST} more"] if len(missing) > MOST else []
    *first, last = [*names, *more]
    together = f"{', '.join(first)} and {last}" if first else last
    return f"{together} {'is' if len(missing) == 1 else 'are'} missing"
