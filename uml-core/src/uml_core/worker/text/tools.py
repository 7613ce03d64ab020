"""The tools that a request offers, and how freely the model may choose among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from attrs import field, frozen

from uml_core.worker.requests import ChatRequest, wrong

_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
"""What OpenAI takes a function without parameters for."""


@frozen
class Tool:
    """A function that the model may call; ``parameters`` is a JSON schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(factory=lambda: _NOTHING)

    def openai(self) -> dict[str, Any]:
        """The tool as OpenAI's clients write it, which is what chat templates expect."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


@frozen
class ToolUse:
    """``offered`` are the tools that the model is told of, ``tools`` those that it may call now.

    ``required``: it must call one; ``parallel``: it may call several.
    """

    tools: tuple[Tool, ...] = ()
    required: bool = False
    parallel: bool = True
    offered: tuple[Tool, ...] = ()

    @classmethod
    def read(cls, request: ChatRequest) -> Self:
        """Take ``tools``, ``tool_choice`` and ``parallel_tool_calls`` out of the request.

        :raises BadRequestError: one of them has a value that it can't have
        """
        offered = _tools(request.extra.get("tools"))
        choice = request.extra.get("tool_choice") or ("auto" if offered else "none")
        if choice == "none":
            return cls()
        if not offered:
            raise wrong("tool_choice", "asks for a tool, but there are no 'tools'")
        parallel = request.extra.get("parallel_tool_calls") is not False
        if choice in ("auto", "required"):
            return cls(offered, choice == "required", parallel, offered)
        return cls(_named(choice, offered), required=True, parallel=False, offered=offered)


def _tools(said: object) -> tuple[Tool, ...]:
    if said is None:
        return ()
    if not isinstance(said, Sequence) or isinstance(said, str):
        raise wrong("tools", "must be a list of functions")
    tools = tuple(_tool(tool) for tool in said)
    if len({tool.name for tool in tools}) < len(tools):
        raise wrong("tools", "have two functions with one name")
    return tools


def _tool(said: object) -> Tool:
    function = said.get("function") if isinstance(said, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        raise wrong("tools", "must be functions, each with a name")
    parameters = function.get("parameters") or _NOTHING
    if not isinstance(parameters, dict):
        raise wrong("tools", f"has parameters of '{function['name']}' that are no JSON schema")
    return Tool(function["name"], str(function.get("description") or ""), parameters)


def _named(choice: object, offered: tuple[Tool, ...]) -> tuple[Tool, ...]:
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    found = tuple(tool for tool in offered if tool.name == name)
    if not found:
        raise wrong("tool_choice", "must be none, auto, required, or name one of the 'tools'")
    return found


def told_in_words(messages: Sequence[Mapping[str, Any]], use: ToolUse) -> list[Mapping[str, Any]]:
    """The messages with the tools told by the system, for a model whose template doesn't know how."""
    tools = "\n".join(json.dumps(tool.openai()["function"], ensure_ascii=False) for tool in use.tools)
    told = f'Call one of these functions. Answer only with JSON: {{"name": …, "arguments": {{…}}}}\n\n{tools}'
    if messages[0]["role"] == "system" and isinstance(messages[0].get("content"), str):
        return [{**messages[0], "content": f"{messages[0]['content']}\n\n{told}"}, *messages[1:]]
    return [{"role": "system", "content": told}, *messages]
