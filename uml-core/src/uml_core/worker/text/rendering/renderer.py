"""From messages to a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import jinja2

from .environment import TemplateEnvironment
from .shapes import continued, cut, folded, in_parts, with_arguments, with_text_arguments

_NEEDLE = "uml-needle"


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
            messages = [in_parts(message) for message in messages]
        messages = [with_arguments(message) for message in messages]
        try:
            return self._run(name, messages, request)
        except jinja2.exceptions.TemplateError as error:
            if "system" not in str(error).lower() or not self._can_fold(messages):
                raise
            return self._run(name, folded(messages), request)
        except TypeError:  # a template that puts the arguments together with text
            return self._run(name, [with_text_arguments(message) for message in messages], request)

    def _run(self, name: str, messages: list[dict[str, Any]], request: Mapping[str, Any]) -> str:
        arguments = {"add_generation_prompt": True, **request.get("arguments", {})}
        more = arguments.pop("continue_final_message", False)
        if more:
            arguments["add_generation_prompt"] = False
            messages = [*messages[:-1], continued(messages[-1])]
        seen = {**self._names, **arguments, "messages": messages, "tools": request.get("tools")}
        text = self._bounded(name, {**seen, "documents": request.get("documents")})
        return cut(text) if more else text

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
            plain = [{"role": "user", "content": _NEEDLE}]
            self._parts[name] = not self._says(name, plain) and self._says(name, [in_parts(plain[0])])
        return self._parts[name]

    def _says(self, name: str, messages: list[dict[str, Any]]) -> bool:
        with suppress(Exception):
            return _NEEDLE in self._run(name, messages, {})
        return False

    @staticmethod
    def _can_fold(messages: list[dict[str, Any]]) -> bool:
        return len(messages) > 1 and messages[0]["role"] == "system" and messages[1]["role"] == "user"
