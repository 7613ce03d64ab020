"""The answer so far: what may be sent of it, how long it is, and why it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Self

from attrs import frozen

from uml_core.worker.delta import Delta
from uml_core.worker.requests import GenerationRequest
from uml_core.worker.text_stream import TextStream


@frozen(kw_only=True)
class Finish:
    """The end of an answer that succeeded; counts are in tokens, None where the engine didn't say."""

    reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Transcript:
    """Follows one answer piece by piece; ``ended`` says that no further piece is wanted."""

    def __init__(self, stops: Sequence[str] = (), limit: int | None = None) -> None:
        self._text = TextStream(stops)
        self._limit = limit
        self._reason: str | None = None
        self._called = False
        self._said = Delta()
        self._count = 0
        self.ended = False

    @classmethod
    def of(cls, request: GenerationRequest, honours: Collection[str] = ()) -> Self:
        """The transcript for *request*, which does what the engine doesn't."""
        limit = None if "max_tokens" in honours else request.max_tokens
        return cls(() if "stop" in honours else request.stop, limit)

    def add(self, piece: str | bytes | Delta) -> str | Delta:
        """Take a piece, and give what can be sent now: text, or a delta of which only the contents count."""
        if isinstance(piece, Delta):
            return self._add_delta(piece)
        return self._add_text(piece) if piece and self._has_room() else ""

    def finish(self) -> tuple[str, Finish]:
        """Give the text that was held back, and the end."""
        reason, said = self._reason or "stop", self._said
        finish = Finish(
            reason="tool_calls" if reason == "stop" and self._called else reason,
            prompt_tokens=said.prompt_tokens or 0,
            completion_tokens=self._count,
            cached_tokens=said.cached_tokens,
            reasoning_tokens=said.reasoning_tokens,
        )
        return self._text.flush(), finish

    def _add_delta(self, delta: Delta) -> str | Delta:
        sent: str | Delta = ""
        more = bool(delta.reasoning or delta.tool_calls or delta.logprobs)
        if (delta.text or more) and self._has_room():
            self._called = self._called or bool(delta.tool_calls)
            sent = self._add_text(delta.text)
            if more:
                sent = Delta(sent, reasoning=delta.reasoning, tool_calls=delta.tool_calls, logprobs=delta.logprobs)
        self._note(delta)
        return sent

    def _note(self, delta: Delta) -> None:
        before = self._said
        self._said = Delta(
            prompt_tokens=_newer(delta.prompt_tokens, before.prompt_tokens),
            cached_tokens=_newer(delta.cached_tokens, before.cached_tokens),
            reasoning_tokens=_newer(delta.reasoning_tokens, before.reasoning_tokens),
        )
        if delta.completion_tokens is not None:
            self._count = delta.completion_tokens
        if delta.finish_reason is not None:
            self._end(delta.finish_reason)

    def _has_room(self) -> bool:
        if self._count == self._limit:  # a piece more than asked for: only now is it sure that it didn't end by itself
            self._end("length")
            return False
        self._count += 1
        return True

    def _add_text(self, piece: str | bytes) -> str:
        text = self._text.feed(piece)
        if self._text.stopped:
            self._end("stop")
        return text

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        self.ended = True


def _newer(now: int | None, before: int | None) -> int | None:
    return before if now is None else now
