"""Messages as chat templates expect them, from messages as OpenAI's clients write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from uml_core.worker.requests import wrong

_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Under which names clients and templates know what the model thought."""


def for_template(messages: Sequence[Mapping[str, Any]], *, developer: bool) -> list[dict[str, Any]]:
    """Make every content a text, every argument an object, and leave out what is null.

    :param developer: the template knows that role; else it is the system's
    :raises BadRequestError: a part is not text, or a call is no call
    """
    return [_message(message, developer=developer) for message in messages]


def _message(message: Mapping[str, Any], *, developer: bool) -> dict[str, Any]:
    said = {name: value for name, value in message.items() if value is not None}
    said["content"] = _text(said.get("content", ""))
    if said["role"] == "developer" and not developer:
        said["role"] = "system"
    if calls := said.pop("tool_calls", None):
        said["tool_calls"] = [_call(call) for call in calls]
    if thought := next((said[name] for name in _THOUGHTS if said.get(name)), None):
        said.update(reasoning_content=thought, thinking=thought)
    return said


def _text(content: object) -> str:
    parts = [content] if isinstance(content, str) else content
    if not isinstance(parts, Sequence):
        raise wrong("messages", "must have texts or lists of parts as contents")
    return "".join(part if isinstance(part, str) else _of_part(part) for part in parts)


def _of_part(part: object) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
    if not isinstance(text, str):
        raise wrong("messages", "may hold only text: this model reads nothing else")
    return text


def _call(call: object) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise wrong("messages", "have a tool call without the name of a function")
    return {**call, "function": {**function, "arguments": _arguments(function.get("arguments"))}}


def _arguments(arguments: object) -> object:
    """Templates want an object. What is none stays as it is: the model wrote it so."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments
