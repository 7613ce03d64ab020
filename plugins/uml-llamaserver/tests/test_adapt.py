"""How requests are told to llama.cpp's server."""

import pytest

from uml_core.errors import BadRequestError
from uml_llamaserver.adapt import adapt

CHAT = "/v1/chat/completions"
COLOUR = {"enum": ["red", {"$ref": "#/$defs/colour"}]}


def tool(name, **schema):
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", **schema}}}


def named(name):
    return {"type": "function", "function": {"name": name}}


def test_others_stay_as_they_are():
    for path, body in (("/v1/completions", {"prompt": "a"}), (CHAT, {"messages": []}), (CHAT, {"tools": []})):
        assert adapt(path, body) is body
    body = {"tools": [tool("a"), tool("b")], "tool_choice": "auto", "seed": 1}
    assert adapt(CHAT, body) == body
    assert adapt(CHAT, {"tools": [tool("a")]}) == {"tools": [tool("a")]}


def test_a_tool_by_its_name_is_the_only_one_there_is():
    said = adapt(CHAT, {"tools": [tool("a"), tool("b")], "tool_choice": named("b"), "seed": 1})
    assert said == {"tools": [tool("b")], "tool_choice": "required", "seed": 1}
    with pytest.raises(BadRequestError, match="names 'c', which is none of the tools"):
        adapt(CHAT, {"tools": [tool("a")], "tool_choice": named("c")})


def test_definitions_of_several_tools_have_names_of_their_own():
    first = tool(
        "a", properties={"x": {"$ref": "#/$defs/colour"}, "$ref": {"type": "string"}}, **{"$defs": {"colour": COLOUR}}
    )
    second = tool("b", anyOf=[{"$ref": "#/$defs/colour/items"}], **{"$defs": {"colour": {"type": "array"}}})
    one, other = (said["function"]["parameters"] for said in adapt(CHAT, {"tools": [first, second]})["tools"])
    assert one["properties"] == {"x": {"$ref": "#/$defs/tool0_colour"}, "$ref": {"type": "string"}}
    assert one["$defs"] == {"tool0_colour": COLOUR}, "a value that looks like a reference is none"
    assert other["anyOf"] == [{"$ref": "#/$defs/tool1_colour/items"}]
    assert adapt(CHAT, {"tools": [first]}) == {"tools": [first]}, "one alone mixes up nothing"
