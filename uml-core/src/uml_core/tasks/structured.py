"""What an answer must follow, in the words of several servers, made one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import from_json, to_json

from uml_core.errors import BadRequestError

LARGEST_SCHEMA_BYTES = 64 * 1024


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(to_json(value)) > LARGEST_SCHEMA_BYTES:
        raise ValueError(f"must be no more than {LARGEST_SCHEMA_BYTES} bytes of JSON")
    return value


JsonSchema = Annotated[dict[str, Any], AfterValidator(_small)]
"""A schema that a grammar is made from; engines take time and memory that grow with it."""

Grammar = Annotated[str, StringConstraints(min_length=1, max_length=LARGEST_SCHEMA_BYTES)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Choice = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Choices = Annotated[list[Choice], Field(min_length=1, max_length=256)]


class StructuredOutputs(BaseModel):
    """What the answer must follow, in vLLM's words; exactly one of them."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    json_: JsonSchema | Grammar | None = Field(None, alias="json", description="a schema")
    json_object: bool | None = Field(None, description="any JSON object")
    regex: Pattern | None = None
    choice: Choices | None = None
    grammar: Grammar | None = None


def in_one_form(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with only ``response_format``, ``json_schema``, ``grammar`` and ``regex``, which backends know.

    :raises BadRequestError: two of its fields say what the answer must follow
    """
    made = {name: value for name, value in body.items() if name != "structured_outputs" and name not in _GUIDED}
    said = [(name, value) for name, value in body.get("structured_outputs", {}).items() if value]
    if "structured_outputs" in body and len(said) != 1:
        raise BadRequestError(
            "'structured_outputs' must have one of json, json_object, regex, choice, grammar",
            param="structured_outputs",
        )
    for param, name, value in [
        *(("structured_outputs", name, value) for name, value in said),
        *((guided, name, body[guided]) for guided, name in _GUIDED.items() if guided in body),
    ]:
        field, write = _FORMS[name]
        if field in made:
            raise BadRequestError(f"'{param}' can't be followed together with '{field}'; leave one out", param=param)
        made[field] = write(value, param)
    return made


def _schema(value: Any, param: str) -> Any:
    try:
        schema = from_json(value) if isinstance(value, str) else value  # which refuses what is nested too deep
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise BadRequestError(f"'{param}' must be a JSON schema, which is an object", param=param)
    return schema


def _choices(texts: list[str], _param: str) -> str:
    """GBNF, which both llama.cpp and llguidance read."""
    return "root ::= " + " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)


_Writer = Callable[[Any, str], Any]
_FORMS: Final[Mapping[str, tuple[str, _Writer]]] = {
    "json": ("json_schema", _schema),
    "json_object": ("response_format", lambda _value, _param: {"type": "json_object"}),
    "regex": ("regex", lambda value, _param: value),
    "choice": ("grammar", _choices),
    "grammar": ("grammar", lambda value, _param: value),
}
_GUIDED: Final = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
}
