"""The call in a piece of an answer, in each of the forms that models write it in."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from uml_core.worker.text.schema import pointed
from uml_core.worker.text.tools import Tool

_NAMES = ("name", "tool_name", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input")
# None of them looks at a place more than once or twice, whatever a model has been made to write.
_BRACKET = re.compile(r"\s*+([^\s\[\]{}]++)\s*+(?:\[CALL_ID\][^\[{]*+)?(?:\[ARGS\])?\s*+(?=\{)")
_PARAMETER = re.compile(r"<parameter=([^<>\n]++)>\n?")
_ARG = re.compile(r"<arg_key>([^<]*+)</arg_key>\s*+<arg_value>")


@frozen
class Call:
    """A call: the name of a function, and its arguments as a JSON object."""

    name: str
    arguments: str


def read_calls(form: str, name: str, text: str, tools: Mapping[str, Tool]) -> list[Call]:
    """Read the calls in *text*.

    :param name: the function's, if it stands before *text*
    :raises ValueError: it holds none
    """
    try:
        calls = [_call(*found) for found in _FORMS[form](name.strip(), text, tools)]
    except (AttributeError, KeyError, TypeError, MemoryError, RecursionError, SyntaxError) as error:
        raise ValueError(str(error)) from None  # Python says of what is nested too deep that it takes too much memory
    if not calls:
        raise ValueError("there is no call")
    return calls


_Found = Iterator[tuple[str, Any]]


def _call(name: object, arguments: object) -> Call:
    if isinstance(arguments, str):
        arguments = json.loads(arguments or "{}")
    if not isinstance(name, str) or not name or not isinstance(arguments or {}, dict):
        raise ValueError("a call has a name and an object of arguments")
    return Call(name, json.dumps(arguments or {}, ensure_ascii=False))


def _json(_name: str, text: str, _tools: Mapping[str, Tool]) -> _Found:
    """Objects, or lists of them, one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while (at := _past(text, at)) < len(text):
        value, at = decoder.raw_decode(text, at)
        for item in value if isinstance(value, list) else [value]:
            yield _of_object(item)


def _past(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n;,":
        at += 1
    return at


def _of_object(item: Mapping[str, Any]) -> tuple[str, Any]:
    inner = item.get("function")
    if isinstance(inner, dict):
        return _of_object(inner)
    name = next((item[key] for key in _NAMES if key in item), None)
    return name or "", next((item[key] for key in _ARGUMENTS if key in item), {})


def _arguments(name: str, text: str, _tools: Mapping[str, Tool]) -> _Found:
    yield name, json.loads(text.strip() or "{}")


def _fenced(name: str, text: str, tools: Mapping[str, Tool]) -> _Found:
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json")
    return _arguments(name, text, tools)


def _bracket(name: str, text: str, tools: Mapping[str, Tool]) -> _Found:
    if text.lstrip().startswith(("[", "{")):
        yield from _json(name, text, tools)
    elif found := _BRACKET.match(text):
        yield found[1], json.loads(text[found.end() :])


def _xml(name: str, text: str, tools: Mapping[str, Tool]) -> _Found:
    found = _values(_PARAMETER, "</parameter>", text)
    yield name, {key: _typed(value.removesuffix("\n"), tools.get(name), key) for key, value in found}


def _glm(_name: str, text: str, tools: Mapping[str, Tool]) -> _Found:
    name = text.split("<arg_key>", 1)[0].strip()
    yield name, {key: _typed(value, tools.get(name), key) for key, value in _values(_ARG, "</arg_value>", text)}


def _values(named: re.Pattern[str], close: str, text: str) -> Iterator[tuple[str, str]]:
    """Names, and the texts up to *close* behind each."""
    at = 0
    while (found := named.search(text, at)) and (end := text.find(close, found.end())) >= 0:
        yield found[1], text[found.end() : end]
        at = end


def _typed(text: str, tool: Tool | None, key: str) -> Any:
    """A value that is written without its type: a text where the schema allows one, else JSON if it is some."""
    schema = (tool.parameters.get("properties") or {}).get(key) if tool else None
    types = types_of(schema, tool.parameters) if tool else set()
    if "string" in types:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text.strip(), text)


def types_of(schema: Any, root: Mapping[str, Any], depth: int = 8) -> set[str]:
    """The types that a schema names, through references and alternatives."""
    if not isinstance(schema, dict) or depth == 0:
        return set()
    if isinstance(schema.get("$ref"), str):
        return types_of(pointed(schema["$ref"], root), root, depth - 1)
    declared = schema.get("type")
    types = {declared} if isinstance(declared, str) else set(declared or ())
    types |= {"string" for value in schema.get("enum", ()) if isinstance(value, str)}
    types |= {"string"} if isinstance(schema.get("const"), str) else set()
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        types |= types_of(choice, root, depth - 1)
    return types


def _pythonic(_name: str, text: str, _tools: Mapping[str, Tool]) -> _Found:
    body = ast.parse(text.strip(), mode="eval").body
    for call in body.elts if isinstance(body, ast.List) else [body]:
        if not isinstance(call, ast.Call):
            raise ValueError("that is no call")  # noqa: TRY004 - of the text
        yield ast.unparse(call.func), {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}


def typed_calls(value: Any, tools: Mapping[str, Tool]) -> list[Call]:
    """The calls that transformers' parser has read, with the types that the schemas want.

    :raises ValueError: that is no call
    """
    calls = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            raise ValueError("that is no call")  # noqa: TRY004 - of the text
        name, arguments = _of_object(item)
        if isinstance(arguments, dict):
            arguments = {
                key: _typed(said, tools.get(name), key) if isinstance(said, str) else said
                for key, said in arguments.items()
            }
        calls.append(_call(name, arguments))
    return calls


_FORMS: Final[Mapping[str, Callable[[str, str, Mapping[str, Tool]], _Found]]] = {
    "arguments": _arguments,
    "bracket": _bracket,
    "fenced": _fenced,
    "gemma": _arguments,
    "glm": _glm,
    "json": _json,
    "list": _json,
    "pythonic": _pythonic,
    "xml": _xml,
}
