"""JSON schemas, made ready to be followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SPACED: Final = {"whitespace_pattern": r"( |\n[ \t]{0,40})?"}
"""White space as people and programs lay JSON out. Without a limit a weak model writes nothing else for ever."""
DENSE: Final = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""As ``json.dumps`` writes it, which is what models saw of calls when they were trained."""

_OPEN_ENDED = ("patternProperties", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "$ref", "if")
_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "prefixItems")
_ONES = ("items", "additionalProperties")


def ready(schema: Any, layout: Mapping[str, Any]) -> Any:
    """The schema with objects closed, in *layout*."""
    closed_schema = closed(schema)
    return {**closed_schema, "x-guidance": dict(layout)} if isinstance(closed_schema, dict) else closed_schema


def closed(schema: Any) -> Any:
    """Let objects that name their properties have no others, unless the schema says something of others.

    What follows the result follows the schema. Models that may go on with properties of their own do so without end.
    Parts of ``allOf`` are left alone: each would forbid what the other one wants.
    """
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed_part(key, value) for key, value in schema.items()}
    if schema.get("properties") and not any(key in schema for key in (*_OPEN_ENDED, "additionalProperties")):
        made["additionalProperties"] = False
    return made


def _closed_part(key: str, value: Any) -> Any:
    if key in _MAPS and isinstance(value, dict):
        return {name: closed(part) for name, part in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [closed(part) for part in value]
    return closed(value) if key in _ONES else value


def nested(schema: Any, place: str) -> Any:
    """The schema as it must be when it stands at *place* (``#/$defs/x``) of another one: its references follow it."""
    if isinstance(schema, list):
        return [nested(part, place) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value if key in ("enum", "const", "default", "examples") else nested(value, place)
            for key, value in schema.items() if key not in ("$schema", "$id")}  # fmt: skip
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):
        made["$ref"] = place + ref[1:]
    return made


def one_of_calls(parameters: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The schema of a call as an object: the name of one function, and its arguments under *key*.

    :param parameters: the schema of each function's arguments
    """
    places = {name: f"t{number}" for number, name in enumerate(parameters)}
    choices = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, key: {"$ref": f"#/$defs/{place}"}},
            "required": ["name", key],
            "additionalProperties": False,
        }
        for name, place in places.items()
    ]
    defs = {place: nested(closed(parameters[name]), f"#/$defs/{place}") for name, place in places.items()}
    return {"anyOf": choices, "$defs": defs}


def pointed(ref: str, root: Mapping[str, Any]) -> Any:
    """What a reference within *root* (``#/$defs/x``) stands for; None if there is nothing."""
    value: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
    return value
