"""The arguments of a call in the forms that are no JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from uml_core.worker.text.calls import types_of
from uml_core.worker.text.literals import Literals
from uml_core.worker.text.marks import Marks, pattern, quoted
from uml_core.worker.text.rules import Rules
from uml_core.worker.text.schema import DENSE, nested, pointed

Schema = Mapping[str, Any]


def pythonic_arguments(parameters: Schema, rules: Rules, marks: Marks, _values: Schema) -> str:
    """``city="Paris", days=2``."""
    return Literals(rules, marks, parameters).pairs(parameters, word="=")


def gemma_object(parameters: Schema, rules: Rules, marks: Marks, values: Schema) -> str:
    """``{city:<|"|>Paris<|"|>,days:2}``."""
    delimiter = values["string_delims"][0][0]
    return Literals(rules, marks, parameters, python=False, delimiter=delimiter).object(parameters)


def xml_arguments(parameters: Schema, rules: Rules, marks: Marks, _values: Schema) -> str:
    """Texts between tags that name them, each on lines of its own."""
    return _tagged(parameters, rules, marks, ("<parameter={key}>\n", "\n</parameter>\n"))


def glm_arguments(parameters: Schema, rules: Rules, marks: Marks, _values: Schema) -> str:
    """Names and texts, each between tags."""
    return _tagged(parameters, rules, marks, ("<arg_key>{key}</arg_key>\n<arg_value>", "</arg_value>\n"))


def _tagged(parameters: Schema, rules: Rules, marks: Marks, tags: tuple[str, str]) -> str:
    required = set(parameters.get("required", ()))
    parts = []
    for key, schema in parameters.get("properties", {}).items():
        part = (
            f"{marks.written(tags[0].replace('{key}', key))} {_until(tags[1], key, schema, parameters, rules, marks)}"
        )
        parts.append(part if key in required else f"( {part} )?")
    return " ".join(parts)


def _until(end: str, key: str, schema: Any, root: Schema, rules: Rules, marks: Marks) -> str:
    """A value, and what stands behind it. Texts stand there as they are, everything else as JSON."""
    if "string" not in types_of(schema, root):
        whole = {"$ref": f"#/$defs/p/properties/{key}", "$defs": {"p": nested(root, "#/$defs/p")}, "x-guidance": DENSE}
        return f"%json {json.dumps(whole)} {marks.written(end)}"
    target = pointed(schema["$ref"], root) if "$ref" in schema else schema
    if texts := [text for text in target.get("enum", ()) if isinstance(text, str)]:
        return f"( {' | '.join(quoted(text) for text in texts)} ) {marks.written(end)}"
    if marks.written(end) != quoted(end):  # a special token ends it
        inner = rules.add("UML_INNER", "/(.|\\n)*/")
        return f"{inner} {marks.written(end)}"
    return rules.add("uml_text[lazy]", f"/(.|\\n)*{pattern(end)}/")
