"""The schemas that structured output is proven with are schemas, and everything that the proof is about occurs."""

import json

import pytest
from proving.schemas import drawn, drawn_tools

validators = pytest.importorskip("jsonschema.validators")
ALL = [drawn(number) for number in range(200)]


def test_each_is_a_schema():
    for schema in ALL:
        validators.Draft202012Validator.check_schema(schema)


def test_a_number_is_always_the_same_schema():
    assert drawn(17) == drawn(17)
    assert len({json.dumps(schema) for schema in ALL}) == len(ALL)


@pytest.mark.parametrize("word", ["enum", "anyOf", "$ref", "const", "array", "integer", "number", "boolean", "null"])
def test_every_kind_occurs_often(word):
    assert sum(f'"{word}"' in json.dumps(schema) for schema in ALL) > 20


def test_objects_are_nested_and_names_are_of_any_language():
    assert any("properties" in json.dumps(list(schema["properties"].values())) for schema in ALL)
    assert any(not name.isascii() for schema in ALL for name in schema["properties"])


def test_without_fractions():
    assert not any('"type": "number"' in json.dumps(drawn(number, fractions=False)) for number in range(200))


def test_tools():
    for number in range(100):
        names = [tool["function"]["name"] for tool in drawn_tools(number)]
        assert len(set(names)) == len(names) > 0
