"""Values in a language of their own, as some models write arguments, made to follow a JSON schema.

Types, properties, required ones, lists, enumerations and alternatives are followed; limits of numbers, lengths and
patterns are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define

from uml_core.worker.text.marks import Marks, quoted
from uml_core.worker.text.rules import Rules
from uml_core.worker.text.schema import pointed

_INTEGER = r"/-?(0|[1-9][0-9]{0,18})/"
_NUMBER = r"/-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,3})?/"
_DEEPEST = 8


@define
class Literals:
    """One way of writing values: Python's own, or that of a model family with ``delimiter`` around its strings."""

    rules: Rules
    marks: Marks
    root: Mapping[str, Any]
    python: bool = True
    delimiter: str = ""

    def value(self, schema: Any, depth: int = 0) -> str:
        """An expression for every value that *schema* allows."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return self._anything()
        if isinstance(schema.get("$ref"), str):
            return self.value(pointed(schema["$ref"], self.root), depth + 1)
        if "const" in schema or "enum" in schema:
            return _either(self._literal(value) for value in schema.get("enum", [schema.get("const")]))
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return _either(self.value(choice, depth + 1) for choice in choices)
        types = schema.get("type")
        if isinstance(types, list):
            return _either(self.value({**schema, "type": kind}, depth + 1) for kind in types)
        return self._of_type(types, schema, depth)

    def _of_type(self, kind: Any, schema: Mapping[str, Any], depth: int) -> str:
        if kind == "string":
            return self._string()
        if kind in ("integer", "number"):
            return self.rules.add(f"UML_{kind.upper()}", _INTEGER if kind == "integer" else _NUMBER)
        if kind == "boolean":
            return _either(self._literal(value) for value in (True, False))
        if kind == "null":
            return self._literal(None)
        if kind == "array":
            item = self.value(schema.get("items"), depth + 1)
            return self.rules.new(f'"[" ( {item} ( {self._comma()} {item} )* )? "]"')
        return self.object(schema, depth) if kind == "object" else self._anything()

    def object(self, schema: Mapping[str, Any], depth: int = 0) -> str:
        """An expression for an object with braces."""
        if not schema.get("properties"):
            return '"{" "}"' if schema.get("additionalProperties") is False else self._any_object()
        return f'"{{" {self.pairs(schema, depth)} "}}"'

    def pairs(self, schema: Mapping[str, Any], depth: int = 0, *, word: str = "") -> str:
        """The properties in their order, without braces; *word* stands behind the name of one instead of a colon."""
        required = set(schema.get("required", ()))
        pairs = [
            (f"{self._key(name, word)} {self.value(part, depth + 1)}", name in required)
            for name, part in schema.get("properties", {}).items()
        ]
        return in_order(pairs, self._comma(), self.rules)

    def _comma(self) -> str:
        return '", "' if self.python else '","'

    def _key(self, name: str, word: str) -> str:
        if word:
            return quoted(f"{name}{word}")
        return quoted(f"{json.dumps(name, ensure_ascii=False)}: ") if self.python else quoted(f"{name}:")

    def _string(self) -> str:
        if self.python:
            return self.rules.add("UML_STRING", r'/"([^"\\\x00-\x1f\x7f]|\\["\\nt])*"/')
        number = self.marks.number(self.delimiter)
        kept = "<" if number is None else ""  # it might begin the mark
        inner = self.rules.add("UML_INNER", rf"/[^\x00-\x08\x0b\x0c\x0e-\x1f{kept}]*/")
        mark = self.marks.written(self.delimiter)
        return self.rules.add("uml_string", f"{mark} {inner} {mark}")

    def _literal(self, value: Any) -> str:
        if isinstance(value, str) and not self.python:
            return self.marks.written(f"{self.delimiter}{value}{self.delimiter}")
        return quoted(repr(value) if self.python else json.dumps(value, ensure_ascii=False))

    def _anything(self) -> str:
        """Any value at all: a rule that refers to itself."""
        if "uml_anything" not in self.rules:
            plain = (
                self._string(),
                self._of_type("number", {}, 0),
                self._of_type("boolean", {}, 0),
                self._literal(None),
            )
            comma, key = self._comma(), '"\\"" UML_NAME "\\": "' if self.python else 'UML_NAME ":"'
            self.rules.add("UML_NAME", r"/[A-Za-z_][A-Za-z0-9_]{0,63}/")
            self.rules.add("uml_any_object", f'"{{" ( {key} uml_anything ( {comma} {key} uml_anything )* )? "}}"')
            listed = f'"[" ( uml_anything ( {comma} uml_anything )* )? "]"'
            self.rules.add("uml_anything", f"{' | '.join(plain)} | {listed} | uml_any_object")
        return "uml_anything"

    def _any_object(self) -> str:
        self._anything()
        return "uml_any_object"


def _either(choices: Iterable[str]) -> str:
    return "( " + " | ".join(choices) + " )"


def in_order(parts: Sequence[tuple[str, bool]], between: str, rules: Rules) -> str:
    """Parts in their order, of which those that are not required may be left out, with *between* between them."""
    begun, fresh = "", ""  # what may follow if something stands before, and if nothing does
    for expression, required in reversed(parts):
        after = f"{expression} {begun}"
        alone = after if required else f"( {after} | {fresh} )" if fresh else f"( {after} )?"
        later = f"{between} {expression}" if required else f"( {between} {expression} )?"
        begun, fresh = rules.new(f"{later} {begun}"), rules.new(alone)
    return fresh
