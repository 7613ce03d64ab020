"""A whole answer, put together from what came of it."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from uml_core.worker.delta import Delta, TokenLogprob, ToolCallDelta
from uml_core.worker.transcript import Finish


@define
class ToolCall:
    """A call of the model's, as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, delta: ToolCallDelta) -> None:
        self.id = self.id or delta.id or ""
        self.name = self.name or delta.name or ""
        self.arguments += delta.arguments

    @property
    def body(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@define
class Message:
    """One of a request's answers; ``finish`` is there once it is whole."""

    texts: list[str] = field(factory=list)
    thoughts: list[str] = field(factory=list)
    calls: dict[int, ToolCall] = field(factory=dict)
    logprobs: list[TokenLogprob] = field(factory=list)
    finish: Finish | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def add(self, content: str | Delta) -> None:
        """Take what comes next."""
        if isinstance(content, str):
            self.texts.append(content)
            return
        self.texts.append(str(content.text))
        self.thoughts.append(content.reasoning)
        self.logprobs.extend(content.logprobs)
        for call in content.tool_calls:
            self.calls.setdefault(call.index, ToolCall()).add(call)
