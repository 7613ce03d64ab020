"""Requests in the words that llama.cpp's server understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uml_core.errors import BadRequestError

LOCAL = "#/$defs/"
VALUES = frozenset({"const", "enum", "default", "examples"})
"""What stands there is no schema, whatever it looks like."""


def adapt(path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say the same of tools in another way: it knows no ``tool_choice`` with a name, and mixes up their ``$defs``.

    :raises BadRequestError: the tool that must be called is none of those that there are
    """
    if path != "/v1/chat/completions" or not body.get("tools"):
        return body
    tools, choice = body["tools"], body.get("tool_choice")
    if isinstance(choice, Mapping):
        tools, choice = [_named(tools, choice["function"]["name"])], "required"
    if len(tools) > 1:
        tools = [_apart(tool, f"tool{at}_") for at, tool in enumerate(tools)]
    return {**body, "tools": tools, **({} if choice is None else {"tool_choice": choice})}


def _named(tools: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    for tool in tools:
        if tool["function"]["name"] == name:
            return tool
    raise BadRequestError(f"'tool_choice' names '{name[:64]}', which is none of the tools", param="tool_choice")


def _apart(tool: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
    """Let the definitions of a tool's parameters have names of their own."""
    function = tool["function"]
    schema = function.get("parameters")
    if not isinstance(schema, Mapping) or not isinstance(schema.get("$defs"), Mapping):
        return tool
    renamed = _renamed(schema, prefix)
    renamed["$defs"] = {f"{prefix}{name}": part for name, part in renamed["$defs"].items()}
    return {**tool, "function": {**function, "parameters": renamed}}


def _renamed(part: Any, prefix: str) -> Any:
    if isinstance(part, list):
        return [_renamed(one, prefix) for one in part]
    if not isinstance(part, Mapping):
        return part
    said = {name: one if name in VALUES else _renamed(one, prefix) for name, one in part.items()}
    place = said.get("$ref")
    if isinstance(place, str) and place.startswith(LOCAL):
        said["$ref"] = f"{LOCAL}{prefix}{place.removeprefix(LOCAL)}"
    return said
