"""Messages in the shapes that templates want them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from .environment import to_json

_MORE = "\x02uml-continue\x02"


class Arguments(dict[str, Any]):
    """The arguments of a call: a mapping for templates that want one, JSON for those that write it as it is."""

    def __str__(self) -> str:
        return to_json(self)


def in_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with its content as a list of parts."""
    content = message.get("content")
    if not isinstance(content, str):
        return dict(message)
    return {**message, "content": [{"type": "text", "text": content}] if content else []}


def folded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with what the system says told by the user."""
    system, user, *rest = messages
    if isinstance(system["content"], str):
        return [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *rest]
    return [{**user, "content": [*system["content"], *user["content"]]}, *rest]


def with_arguments(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with arguments that are objects and JSON."""
    return _each_call(message, lambda arguments: Arguments(arguments) if isinstance(arguments, dict) else arguments)


def with_text_arguments(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with arguments that are only text."""
    return _each_call(message, lambda arguments: str(arguments) if isinstance(arguments, dict) else arguments)


def _each_call(message: Mapping[str, Any], change: Any) -> dict[str, Any]:
    if not message.get("tool_calls"):
        return dict(message)
    calls = [
        {**call, "function": {**call["function"], "arguments": change(call["function"].get("arguments"))}}
        for call in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}


def continued(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with a mark where it is to go on."""
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [*content[:-1], {"type": "text", "text": content[-1]["text"] + _MORE}]}
    return {**message, "content": f"{content or ''}{_MORE}"}


def cut(text: str) -> str:
    """The prompt up to that mark."""
    before, found, _ = text.rpartition(_MORE)
    if not found:
        raise jinja2.exceptions.TemplateError("it leaves the last message out, so that can't be continued")
    return before
