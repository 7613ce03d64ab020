"""An engine driven as ``serve`` drives it, in one's own thread: for a backend's tests of its engine alone."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Self

from attrs import field, frozen

from uml_core.worker.delta import WAIT, Delta, Piece, TokenLogprob, ToolCallDelta
from uml_core.worker.requests import ChatRequest, GenerationRequest


@frozen
class Told:
    """What the pieces of one answer come to; a count is None where the engine didn't say it."""

    pieces: Sequence[Piece] = field(repr=False)
    text: str
    reasoning: str
    reason: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    logprobs: Sequence[TokenLogprob]
    tool_calls: Sequence[ToolCallDelta]

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Self:
        """Add the pieces up."""
        deltas = [piece if isinstance(piece, Delta) else Delta(_said(piece)) for piece in pieces]
        last = {name: _last(deltas, name) for name in ("prompt_tokens", "cached_tokens", "completion_tokens")}
        return cls(
            pieces=pieces,
            text=b"".join(_bytes(delta.text) for delta in deltas).decode("utf-8", "replace"),
            reasoning="".join(delta.reasoning for delta in deltas),
            reason=_last(deltas, "finish_reason"),
            reasoning_tokens=_last(deltas, "reasoning_tokens"),
            logprobs=[logprob for delta in deltas for logprob in delta.logprobs],
            tool_calls=[call for delta in deltas for call in delta.tool_calls],
            **last,
        )


def drive(engine: Any, *requests: GenerationRequest, late: int = 0) -> list[Told]:
    """Let a batch engine answer all of *requests* at once; the *late* last of them come after its third step.

    :raises Exception: whatever the engine raises, in ``prepare``, in an answer or in a step
    """
    answers: list[list[Piece]] = [[] for _ in requests]
    going = {at: _begun(engine, request) for at, request in enumerate(requests)}
    with ExitStack() as open_answers:
        for answer in going.values():
            open_answers.callback(answer.close)
        for steps in itertools.count():
            for at in [at for at in going if at < len(requests) - late or steps > 2]:
                if _ended(going[at], answers[at]):
                    del going[at]
            if not going:
                return [Told.of(pieces) for pieces in answers]
            engine.step()
    raise AssertionError


def _begun(engine: Any, request: GenerationRequest) -> Generator[Piece]:
    prepared = engine.prepare(request)
    answer: Generator[Piece] = engine.chat(prepared) if isinstance(request, ChatRequest) else engine.complete(prepared)
    return answer


def _ended(answer: Iterator[Piece], pieces: list[Piece]) -> bool:
    for piece in answer:
        if piece is WAIT:
            return False
        pieces.append(piece)
    return True


def _said(piece: Piece) -> str | bytes:
    if not isinstance(piece, str | bytes):
        raise TypeError(f"a {type(piece).__name__} is no piece of a text")
    return piece


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _last(deltas: Sequence[Delta], name: str) -> Any:
    said = [value for delta in deltas if (value := getattr(delta, name)) is not None]
    return said[-1] if said else None
