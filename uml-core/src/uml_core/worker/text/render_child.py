"""The process that renders chat templates. A template is a program of the model's author: here it can be killed.

Run as a file, so it imports nothing of the package: standard library and jinja2 only. Frames on stdin and stdout are
four bytes of length, most significant first, and JSON. The first one has the templates by name and the limits, each
further one a request; each gets an answer, ``{"text": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.nodes import CallBlock
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

if sys.platform != "win32":
    import resource
    import signal

NEEDLE = "uml-needle"
_MORE = "\x02uml-continue\x02"


class GenerationTag(Extension):  # type: ignore[misc] # jinja2 is followed nowhere
    """``{% generation %}``, by which templates mark the assistant's words for training; here it does nothing."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own declaration

    def parse(self, parser: Parser) -> CallBlock:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Any) -> Any:
        return caller()


class PublicNamespace(Namespace):  # type: ignore[misc] # jinja2 is followed nowhere
    """A namespace that holds nothing with an underscore in front, which the interpreter might take for its own."""

    # no `self` in front: `namespace(self=1)` is allowed
    def __init__(*args: Any, **names: Any) -> None:
        self, *rest = args
        Namespace.__init__(self, *rest, **names)
        for name in dict(*rest, **names):
            PublicNamespace._check(name)

    def __setitem__(self, name: str, value: Any) -> None:
        PublicNamespace._check(name)
        Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check(name: str) -> None:
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace can't hold {name!r}")


class Arguments(dict[str, Any]):
    """The arguments of a call: a mapping for templates that want one, JSON for those that write it as it is."""

    def __str__(self) -> str:
        return _to_json(self)


class TemplateEnvironment(ImmutableSandboxedEnvironment):  # type: ignore[misc] # jinja2 is followed nowhere
    """The one place where templates run, with what chat templates expect (transformers has made them expect it)."""

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, "jinja2.ext.loopcontrols"])
        self.filters["tojson"] = _to_json
        self.globals.update(
            raise_exception=_raise_exception, strftime_now=_strftime_now, dict=_plain_dict, namespace=PublicNamespace
        )


def _to_json(value: Any, ensure_ascii: bool = False, **how: Any) -> str:  # noqa: FBT001, FBT002 - as templates call it
    return json.dumps(value, ensure_ascii=ensure_ascii, **how)


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005 - the user's own day


def _plain_dict(*args: Any, **items: Any) -> dict[Any, Any]:
    return dict(*args, **items)


class Renderer:
    """The templates of one model; each is compiled when it is first wanted."""

    def __init__(self, templates: Mapping[str, str], names: Mapping[str, str], longest: int) -> None:
        self._sources, self._names, self._longest = templates, names, longest
        self._environment = TemplateEnvironment()
        self._compiled: dict[str, jinja2.Template] = {}
        self._parts: dict[str, bool] = {}

    def render(self, request: Mapping[str, Any]) -> str:
        """Render; a refused system message is told to the model by the user."""
        name, messages = request["template"], request["messages"]
        if self._wants_parts(name):
            messages = [_in_parts(message) for message in messages]
        messages = [_with_arguments(message) for message in messages]
        try:
            return self._run(name, messages, request)
        except jinja2.exceptions.TemplateError as error:
            if "system" not in str(error).lower() or not self._can_fold(messages):
                raise
            return self._run(name, _folded(messages), request)
        except TypeError:  # a template that puts the arguments together with text
            return self._run(name, [_with_text_arguments(message) for message in messages], request)

    def _run(self, name: str, messages: list[dict[str, Any]], request: Mapping[str, Any]) -> str:
        arguments = {"add_generation_prompt": True, **request.get("arguments", {})}
        more = arguments.pop("continue_final_message", False)
        if more:
            arguments["add_generation_prompt"] = False
            messages = [*messages[:-1], _continued(messages[-1])]
        seen = {**self._names, **arguments, "messages": messages, "tools": request.get("tools")}
        text = self._bounded(name, {**seen, "documents": request.get("documents")})
        return _cut(text) if more else text

    def _bounded(self, name: str, seen: Mapping[str, Any]) -> str:
        pieces, size = [], 0
        for piece in self._template(name).generate(**seen):
            pieces.append(piece)
            size += len(piece)
            if size > self._longest:
                raise jinja2.exceptions.TemplateError(f"it makes a prompt of more than {self._longest} characters")
        return "".join(pieces)

    def _template(self, name: str) -> jinja2.Template:
        if name not in self._compiled:
            self._compiled[name] = self._environment.from_string(self._sources[name])
        return self._compiled[name]

    def _wants_parts(self, name: str) -> bool:
        """Whether the template reads contents as lists of parts only, as those of models with pictures do."""
        if name not in self._parts:
            plain = [{"role": "user", "content": NEEDLE}]
            self._parts[name] = not self._says(name, plain) and self._says(name, [_in_parts(plain[0])])
        return self._parts[name]

    def _says(self, name: str, messages: list[dict[str, Any]]) -> bool:
        with suppress(Exception):
            return NEEDLE in self._run(name, messages, {})
        return False

    @staticmethod
    def _can_fold(messages: list[dict[str, Any]]) -> bool:
        return len(messages) > 1 and messages[0]["role"] == "system" and messages[1]["role"] == "user"


def _in_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, str):
        return dict(message)
    return {**message, "content": [{"type": "text", "text": content}] if content else []}


def _folded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    system, user, *rest = messages
    if isinstance(system["content"], str):
        return [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *rest]
    return [{**user, "content": [*system["content"], *user["content"]]}, *rest]


def _with_arguments(message: Mapping[str, Any]) -> dict[str, Any]:
    return _each_call(message, lambda arguments: Arguments(arguments) if isinstance(arguments, dict) else arguments)


def _with_text_arguments(message: Mapping[str, Any]) -> dict[str, Any]:
    return _each_call(message, lambda arguments: str(arguments) if isinstance(arguments, dict) else arguments)


def _each_call(message: Mapping[str, Any], change: Any) -> dict[str, Any]:
    if not message.get("tool_calls"):
        return dict(message)
    calls = [
        {**call, "function": {**call["function"], "arguments": change(call["function"].get("arguments"))}}
        for call in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}


def _continued(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [*content[:-1], {"type": "text", "text": content[-1]["text"] + _MORE}]}
    return {**message, "content": f"{content or ''}{_MORE}"}


def _cut(text: str) -> str:
    before, found, _ = text.rpartition(_MORE)
    if not found:
        raise jinja2.exceptions.TemplateError("it leaves the last message out, so that can't be continued")
    return before


@contextmanager
def _limited(seconds: float, more_bytes: int) -> Iterator[None]:
    """Be ended by the system after *seconds* of computing, and be refused memory beyond *more_bytes* more."""
    if sys.platform == "win32":  # the parent's time limit is all there is
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends a process that doesn't expect it
    before = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError, ValueError):
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + more_bytes, before[1]))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _receive() -> bytes | None:
    head = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def _send(answer: Mapping[str, Any]) -> None:
    said = json.dumps(answer).encode()
    sys.stdout.buffer.write(len(said).to_bytes(4, "big") + said)
    sys.stdout.buffer.flush()


def _answer(renderer: Renderer, request: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {"text": renderer.render(request)}
    except MemoryError:
        return {"error": "it takes too much memory with them"}
    except Exception as error:  # noqa: BLE001 - whatever a program of somebody else raises
        return {"error": str(error) or type(error).__name__}


def main() -> None:
    """Answer until stdin ends, which it does when the parent is gone."""
    setup = json.loads(_receive() or b"{}")
    if not setup:
        return
    renderer = Renderer(setup["templates"], setup["names"], setup["longest"])
    while (frame := _receive()) is not None:
        request = json.loads(frame)
        with _limited(setup["seconds"], setup["memory"] + 8 * len(frame)):
            answer = _answer(renderer, request)
        _send(answer)


if __name__ == "__main__":
    main()
