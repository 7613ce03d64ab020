"""OpenAI's wire format: the events of a stream and the body of a whole answer."""

from __future__ import annotations

import abc
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from uml_core.errors import UMLError
from uml_core.worker.transcript import Finish

DONE = b"data: [DONE]\n\n"
_quote = json.encoder.encode_basestring_ascii


class Frames(abc.ABC):
    """One answer in the shape of its path. What is the same in every event of a stream is encoded once."""

    prefix: ClassVar[str]
    kind: ClassVar[str]
    chunk_kind: ClassVar[str]

    def __init__(self, model_id: str) -> None:
        created = int(time.time())
        self._head = {"id": f"{self.prefix}-{secrets.token_hex(12)}", "created": created, "model": model_id}
        self._before, self._after = self._split(self._chunk(choices=[self._choice("\0", None)]))

    def opening(self) -> bytes:
        """The events before the first text."""
        return b""

    def texts(self, texts: Iterable[str]) -> bytes:
        """One event for each text, in one piece."""
        before, after = self._before, self._after
        return "".join([f"{before}{_quote(text)}{after}" for text in texts]).encode("ascii")

    def closing(self, finish: Finish, *, usage: bool) -> bytes:
        """The finish reason, the usage if the client asked for it, and the mark of success."""
        events = [self._chunk(choices=[self._choice(None, finish.reason)])]
        if usage:
            events.append(self._chunk(choices=[], usage=_usage(finish)))
        return b"".join(event(body) for body in events) + DONE

    def whole(self, text: str, finish: Finish) -> dict[str, Any]:
        """The body of an answer that isn't streamed."""
        return {**self._head, "object": self.kind, "choices": [self._final(text, finish)], "usage": _usage(finish)}

    def _chunk(self, **fields: Any) -> dict[str, Any]:
        return {**self._head, "object": self.chunk_kind, **fields}

    @staticmethod
    def _split(chunk: Mapping[str, Any]) -> tuple[str, str]:
        before, after = event(chunk).decode("ascii").split(_quote("\0"))
        return before, after

    @abc.abstractmethod
    def _choice(self, text: str | None, finish_reason: str | None) -> dict[str, Any]:
        """A choice of a stream's event."""

    @abc.abstractmethod
    def _final(self, text: str, finish: Finish) -> dict[str, Any]:
        """The choice of a whole answer."""


class ChatFrames(Frames):
    """``/v1/chat/completions``."""

    prefix = "chatcmpl"
    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"

    def opening(self) -> bytes:
        delta = {"role": "assistant", "content": ""}
        return event(self._chunk(choices=[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]))

    def _choice(self, text: str | None, finish_reason: str | None) -> dict[str, Any]:
        delta = {} if text is None else {"content": text}
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}

    def _final(self, text: str, finish: Finish) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        return {"index": 0, "message": message, "logprobs": None, "finish_reason": finish.reason}


class CompletionFrames(Frames):
    """``/v1/completions``."""

    prefix = "cmpl"
    kind = chunk_kind = "text_completion"

    def _choice(self, text: str | None, finish_reason: str | None) -> dict[str, Any]:
        return {"index": 0, "text": text or "", "logprobs": None, "finish_reason": finish_reason}

    def _final(self, text: str, finish: Finish) -> dict[str, Any]:
        return self._choice(text, finish.reason)


def event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event. JSON in ASCII has no line break, so no text can end an event or begin another."""
    return b"data: %b\n\n" % encode(body)


def encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def error_body(error: UMLError) -> dict[str, Any]:
    """OpenAI's body for an error."""
    return {"error": {"message": str(error), "type": error.type, "param": error.param, "code": error.code}}


def _usage(finish: Finish) -> dict[str, int]:
    return {
        "prompt_tokens": finish.prompt_tokens,
        "completion_tokens": finish.completion_tokens,
        "total_tokens": finish.prompt_tokens + finish.completion_tokens,
    }
