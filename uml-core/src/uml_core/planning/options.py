"""Options and settings, validated by the backend's own models; what is wrong is said in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from uml_core.environments.folder import isolated_python
from uml_core.errors import InvalidOptionsError, SettingsError
from uml_core.settings import Settings
from uml_core.types import BackendInfo


def load_options(
    card: BackendInfo, options: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Validate *options* of one load.

    :param settings: the backend's own, validated; its validators find them in their context
    :raises InvalidOptionsError: an option is unknown or wrong; the message has the names that there are
    """
    try:
        return card.options.model_validate(dict(options), context={"settings": settings or {}}).model_dump()
    except ValidationError as error:
        place, problem = _first(error, card.options)
        names = ", ".join(card.options.model_fields) or "none"
        what = f"the option '{place}' of the backend '{card.name}'" if place else f"an option of '{card.name}'"
        raise InvalidOptionsError(f"{what} {problem}; its options are: {names}", param=place or None) from None


def plugin_settings(card: BackendInfo, settings: Settings) -> dict[str, Any]:
    """Validate the table ``[plugins.<name>]`` of a backend.

    Where it names no ``python``, that is the one of the environment that UML made for this backend, if it made one.

    :raises SettingsError: it is wrong; the message names the place
    """
    table = settings.plugins.table(card.name)
    if card.settings is None:
        if table:
            raise SettingsError(f"[plugins.{card.name}] in uml.toml: this backend has no settings; remove the table")
        return {}
    try:
        validated = card.settings.model_validate(table).model_dump()
    except ValidationError as error:
        place, problem = _first(error, card.settings)
        where = f"'{place}' in [plugins.{card.name}] of uml.toml" if place else f"[plugins.{card.name}] of uml.toml"
        names = ", ".join(card.settings.model_fields) or "none"
        raise SettingsError(f"{where} {problem}; its settings are: {names}") from None
    if "python" in validated and validated["python"] is None:
        validated["python"] = isolated_python(settings.data_dir, card.name)
    return validated


def _first(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """The place of the first problem, and the problem as the end of a sentence."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, model.model_fields, n=1)
        return place, "is unknown" + (f" (did you mean '{near[0]}'?)" if near else "")
    return place, f"is wrong: {first['msg'].removeprefix('Value error, ')}"
