"""What transformers' parser of answers is told of a family, and what it says of an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from uml_core.worker.text.bounded_pattern import try_tags
from uml_core.worker.text.calls import Call, read_calls, typed_calls
from uml_core.worker.text.family import Calls, Family
from uml_core.worker.text.tools import Tool

NOWHERE = "\x00"
"""The parser looks for the turn's beginning in the prompt; families of ours tell it only what matters of that."""

_TEXT = {"content_args": {"strip": False}}


def warm() -> None:
    """Import the parser, which takes a second, while something else is done."""
    threading.Thread(target=import_parser, name="parser import", daemon=True).start()


def import_parser() -> None:
    """Wait until the parser is imported."""
    import transformers.utils.chat_parsing  # noqa: F401


def described(family: Family, *, calls: bool) -> dict[str, Any]:
    """The family as a response template. Every part stays text: what can't be read must not stop the parser.

    :param calls: whether calls are to be recognised
    """
    if family.response is not None:
        return _own(family.response, calls=calls)
    fields: dict[str, Any] = {"content": dict(_TEXT)}
    if family.thoughts:
        fields["thinking"] = {"open": family.thoughts.open, "close": family.thoughts.close, **_TEXT}
    if family.calls and calls:
        fields["tool_calls"] = _of_calls(family.calls)
    if family.dropped:
        fields["frame"] = {"open_pattern": family.dropped, "close_pattern": "", "repeats": True, **_TEXT}
    return {"start_anchor": NOWHERE, "fields": fields}


def _of_calls(calls: Calls) -> dict[str, Any]:
    told: dict[str, Any] = {"open_pattern": calls.open, "repeats": True, **_TEXT}
    if calls.close:
        told["close_pattern"] = calls.close
    return {**told, "transform": _transform(calls.open)}


def _transform(*patterns: str) -> dict[str, str]:
    import regex

    groups = {group for pattern in patterns for group in regex.compile(pattern).groupindex}
    return {"text": "{content}", **{group: f"{{{group}}}" for group in groups}}


def _own(response: Mapping[str, Any], *, calls: bool) -> dict[str, Any]:
    """The model's own template; what is structured is read later, by :class:`OwnCalls`."""
    fields = {name: dict(told) for name, told in response["fields"].items()}
    if not calls:
        fields.pop("tool_calls", None)
    elif "tool_calls" in fields:
        told = fields["tool_calls"]
        kept = {key: told[key] for key in told if key not in ("content", "content_args", "transform", "transform_each")}
        patterns = (told.get("open_pattern", ""), told.get("close_pattern", ""))
        fields["tool_calls"] = {**kept, **_TEXT, "transform": _transform(*patterns)}
    return {**response, "fields": fields}


def calls_of(family: Family, value: Mapping[str, str], tools: Mapping[str, Tool]) -> list[Call]:
    """The calls in what the parser says of one region.

    :raises ValueError: they can't be read
    """
    if family.response is not None and "tool_calls" in family.response["fields"]:  # type: ignore[operator]
        return typed_calls(_process(family.response, value), tools)
    assert family.calls is not None
    text = value["text"]
    if family.calls.values:
        from transformers.utils.chat_parsing.content_parsers import parse_content

        text = json.dumps(parse_content(text, "json", dict(family.calls.values)))
    return read_calls(family.calls.form, value.get("name", ""), text, tools)


def _process(response: Mapping[str, Any], value: Mapping[str, str]) -> Any:
    from transformers.utils.chat_parsing.content_parsers import process_field
    from transformers.utils.chat_parsing.response_templates import load_response_template

    told = load_response_template(dict(response)).fields["tool_calls"]
    try_tags(value["text"], told.content_args)
    captures = {name: text for name, text in value.items() if name != "text"}
    try:
        return process_field(value["text"], told, captures)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from None
