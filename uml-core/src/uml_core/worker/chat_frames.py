"""``/v1/chat/completions`` on the wire."""

from __future__ import annotations

from typing import Any

from uml_core.worker import logprobs
from uml_core.worker.delta import Delta, ToolCallDelta
from uml_core.worker.events import event
from uml_core.worker.frames import Frames
from uml_core.worker.message import Message


class ChatFrames(Frames):
    """Text, thoughts and calls of tools; each in a field of its own."""

    prefix = "chatcmpl"
    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"

    def opening(self) -> str:
        first = {"role": "assistant", "content": ""}
        return "".join(event(self._chunk(_choice(index, {"delta": first}))) for index in range(self.shape.answers))

    def _choice(self, index: int, delta: Delta) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        if delta.reasoning:
            parts["reasoning_content"] = delta.reasoning
        if delta.tool_calls:
            parts["tool_calls"] = [_call(call) for call in delta.tool_calls]
        if delta.text or not parts:
            parts["content"] = delta.text
        return _choice(index, {"delta": parts}, logprobs.of_chat(delta.logprobs) if delta.logprobs else None)

    def _end(self, index: int, reason: str) -> dict[str, Any]:
        return _choice(index, {"delta": {}}, None, reason)

    def _final(self, index: int, message: Message) -> dict[str, Any]:
        body: dict[str, Any] = {"role": "assistant", "content": message.text}
        if thoughts := "".join(message.thoughts):
            body["reasoning_content"] = thoughts
        if message.calls:
            body["content"] = message.text or None
            body["tool_calls"] = [call.body for _, call in sorted(message.calls.items())]
        said = logprobs.of_chat(message.logprobs) if message.logprobs else None
        return _choice(index, {"message": body}, said, message.finish.reason if message.finish else None)


def _choice(
    index: int, said: dict[str, Any], logprobs: dict[str, Any] | None = None, reason: str | None = None
) -> dict[str, Any]:
    return {"index": index, **said, "logprobs": logprobs, "finish_reason": reason}


def _call(delta: ToolCallDelta) -> dict[str, Any]:
    named = {} if delta.name is None else {"name": delta.name}
    body = {"index": delta.index, "function": {**named, "arguments": delta.arguments}}
    return body if delta.id is None else {**body, "id": delta.id, "type": "function"}
