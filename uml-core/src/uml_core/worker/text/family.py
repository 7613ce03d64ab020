"""How a model writes its tool calls and its thoughts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

Form: TypeAlias = Literal["json", "list", "arguments", "xml", "glm", "pythonic", "bracket", "gemma", "fenced"]
"""How the text of a call is read; each is a function of :mod:`uml_core.worker.text.calls`."""


@frozen
class Thoughts:
    """Thoughts stand between these two. ``after`` is what the model writes next, before it says or calls anything."""

    open: str
    close: str
    after: str = ""


@frozen
class Calls:
    """Where the calls of an answer stand, and how one is written.

    To be read: ``open`` and ``close`` are patterns, between them stands the text that ``form`` reads; a group ``name``
    of ``open`` is the function's. Without ``close`` it is the rest of the answer. ``values`` are arguments of the form.

    To be held to: ``begin`` and ``end`` stand around one call, with ``{name}`` for the function's, ``between`` stands
    between two, ``first`` and ``last`` around all of them. ``key`` is what the form calls the arguments. ``trigger``
    begins calls and nothing else: where the model writes it by itself, it is held to all that from there on. Without
    one an answer is calls and nothing else, or no call. ``single``: a call ends the answer.
    """

    form: Form
    open: str
    close: str = ""
    values: Mapping[str, Any] = field(factory=dict)
    trigger: str = ""
    first: str = ""
    begin: str = ""
    end: str = ""
    between: str = ""
    last: str = ""
    key: str = "arguments"
    single: bool = False


@frozen
class Family:
    """One way of writing.

    ``says`` stands before what is said, where that is marked too. ``quiet`` has further special tokens that it needs,
    and ``dropped`` are the patterns of texts that only frame what is said. ``short_ids``: the template wants ids of
    nine letters and digits. ``response`` is the model's own description of its answers, in transformers' form;
    ``tells``: the model's template tells it of tools.
    """

    name: str
    thoughts: Thoughts | None = None
    calls: Calls | None = None
    says: str = ""
    quiet: str = ""
    dropped: str = ""
    short_ids: bool = False
    response: Mapping[str, object] | None = None
    tells: bool = False

    @property
    def plain(self) -> bool:
        """Whether its answers are nothing but what is said."""
        return self.thoughts is None and self.calls is None and self.response is None

    @property
    def streams(self) -> bool:
        """Whether its calls are JSON with the name in front, which can be told before they are complete."""
        return self.response is None and self.calls is not None and self.calls.form == "json"

    def shows(self, special: str) -> bool:
        """Whether the special token that is written *special* is part of it."""
        if self.response is not None:
            return True
        return special in self.written

    def unread(self, text: str) -> str:
        """The text of a call that can't be read, with what the model wrote around it."""
        if self.calls is None or self.response is not None:
            return text
        close = "" if "(" in self.calls.close else _unescaped(self.calls.close)
        return f"{self.calls.trigger}{text}{close}"

    @property
    def written(self) -> str:
        """Every text that the family's answers are recognised by."""
        thoughts = (self.thoughts.open, self.thoughts.close, self.thoughts.after) if self.thoughts else ()
        calls = self.calls
        around = (_unescaped(calls.open), _unescaped(calls.close), *_written(calls)) if calls else ()
        return "\n".join((*thoughts, *around, self.says, self.quiet))


def _written(calls: Calls) -> tuple[str, ...]:
    marks = (mark for pair in calls.values.get("string_delims", ()) for mark in pair)
    return (calls.trigger, calls.first, calls.begin, calls.end, calls.last, *marks)


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\(\W)", r"\1", pattern)
