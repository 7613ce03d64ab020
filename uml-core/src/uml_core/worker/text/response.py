"""Reads an answer while it is written: what is said, what is thought, what is called."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Mapping
from typing import Any

from uml_core.worker.delta import Delta, ToolCallDelta
from uml_core.worker.text.bounded_pattern import bound
from uml_core.worker.text.call_stream import CallStream
from uml_core.worker.text.calls import Call
from uml_core.worker.text.edges import Edges
from uml_core.worker.text.family import Family
from uml_core.worker.text.response_form import NOWHERE, calls_of, described
from uml_core.worker.text.tools import ToolUse

_THOUGHTS = frozenset({"thinking", "reasoning", "reasoning_content"})


class ResponseReader:
    """Turns the text of one answer into deltas; however the text is cut into pieces, the result is the same.

    ``thinking`` says that what comes next is thought as far as is known, ``called`` that a tool was called: then the
    answer's finish reason is ``tool_calls``, unless it is ``length``.
    """

    def __init__(self, family: Family, *, prompt: str, tools: ToolUse) -> None:
        """Begin at the end of *prompt*, which may have opened a thought already."""
        self.thinking = False
        self.called = False
        self._family, self._use = family, tools
        self._tools = {tool.name: tool for tool in tools.offered}
        self._stream: CallStream | None = None
        self._edges = Edges()
        self._count = 0
        self._parser = None
        if family.thoughts or family.response is not None or (family.calls and self._tools):
            self._parser = self._begin(prompt)

    def _begin(self, prompt: str) -> Any:
        from transformers.utils.chat_parsing import ResponseParser
        from transformers.utils.chat_parsing.response_templates import load_response_template

        told = load_response_template(described(self._family, calls=bool(self._tools)))
        if self._family.response is not None:
            told = bound(told)
        parser = ResponseParser(told, prefix=_opened(self._family, prompt, told))
        for event in parser.initial_events:  # the prompt's part of the answer is not told again
            self._note(event)
        return parser

    def feed(self, text: str) -> Iterator[Delta]:
        """Read more; a Delta has only ``text``, ``reasoning`` and ``tool_calls``. Often there's nothing to say yet."""
        if self._parser is None:
            if text:
                yield Delta(text=text)
            return
        for event in self._parser.feed(text):
            yield from self._read(event)

    def finish(self) -> Iterator[Delta]:
        """Read the end: what was held back comes now."""
        if self._parser is None:
            return
        _, events = self._parser.finalize()
        for event in events:
            yield from self._read(event)
        if not self.called and (rest := self._edges.rest()):
            yield Delta(text=rest)

    def _note(self, event: Mapping[str, Any]) -> None:
        if event["type"] != "region_chunk":
            self.thinking = event["type"] == "region_open" and event["field"] in _THOUGHTS

    def _read(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        self._note(event)
        name = event["field"]
        if event["type"] == "region_chunk":
            yield from self._chunk(name, event["text"])
        elif name == "tool_calls":
            yield from self._call_region(event)
        elif event["type"] == "region_open" and name in _THOUGHTS:
            self._edges.turn()

    def _chunk(self, name: str, text: str) -> Iterator[Delta]:
        if name == "tool_calls":
            if self._stream is not None:
                yield from self._streamed(self._stream, text)
        elif name in _THOUGHTS and (thought := self._edges.pass_on(text, thought=True)):
            yield Delta(reasoning=thought)
        elif name == "content" and (said := self._edges.pass_on(text, thought=False)):
            yield Delta(text=said)

    def _call_region(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        if event["type"] == "region_open":
            self._stream = CallStream() if self._family.streams and (self._use.parallel or not self._count) else None
            return
        value = event["value"]
        if self._stream is not None and self._stream.told:
            if self._stream.done or self._stream.broken or not self._use.parallel:
                return
            value = {**value, "text": self._stream.rest}
        try:
            calls = calls_of(self._family, value, self._tools)
        except ValueError:  # the client may make more of it than we can
            yield from self._chunk("content", self._family.unread(value["text"]))
            return
        self._edges.turn()
        for call in calls if self._use.parallel else calls[: 1 - self._count]:
            yield self._told(call)

    def _streamed(self, stream: CallStream, text: str) -> Iterator[Delta]:
        for piece in stream.feed(text):
            if piece.name and self._count and not self._use.parallel:
                self._stream = None
                return
            if piece.name:
                self._edges.turn()
                yield self._told(Call(piece.name, ""))
            elif piece.arguments:
                yield Delta(tool_calls=(ToolCallDelta(self._count - 1, arguments=piece.arguments),))

    def _told(self, call: Call) -> Delta:
        self.called = True
        delta = ToolCallDelta(self._count, _new_id(short=self._family.short_ids), call.name, call.arguments)
        self._count += 1
        return Delta(tool_calls=(delta,))


def _opened(family: Family, prompt: str, told: Any) -> str:
    """What the parser must see of the prompt: the beginning of the answer that stands there."""
    if family.response is not None:
        return prompt if told.start_anchor_re.search(prompt) else NOWHERE
    thoughts = family.thoughts
    return thoughts.open if thoughts and opens_thought(prompt, thoughts.open) else NOWHERE


def opens_thought(prompt: str, mark: str) -> bool:
    """Whether the answer to *prompt* begins within a thought."""
    return prompt.rstrip().endswith(mark.rstrip())


def _new_id(*, short: bool) -> str:
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(9)) if short else f"call_{secrets.token_hex(12)}"
