"""The answer so far: what may be sent of it, how long it is, and why it ended."""

from __future__ import annotations

from attrs import frozen

from uml_core.worker.delta import Delta, Piece, Wait, Whole
from uml_core.worker.requests import GenerationRequest
from uml_core.worker.text_stream import TextStream


@frozen(kw_only=True)
class Finish:
    """The end of an answer that succeeded; counts are in tokens."""

    reason: str
    prompt_tokens: int
    completion_tokens: int


class Transcript:
    """Follows one answer piece by piece; ``ended`` says that no further piece is wanted."""

    def __init__(self, request: GenerationRequest) -> None:
        self._text = TextStream(request.stop)
        self._limit = request.max_tokens
        self._reason: str | None = None
        self._prompt_tokens = 0
        self._count = 0
        self.ended = False

    def add(self, piece: Piece) -> str:
        """Take a piece, and give the text that can be sent now."""
        if isinstance(piece, Wait | Whole):
            raise TypeError(f"nobody can send a {type(piece).__name__} yet")
        if not isinstance(piece, Delta):
            return self._add_text(piece)
        text = self._add_text(piece.text)
        if piece.prompt_tokens is not None:
            self._prompt_tokens = piece.prompt_tokens
        if piece.completion_tokens is not None:
            self._count = piece.completion_tokens
        if piece.finish_reason is not None:
            self._end(piece.finish_reason)
        return text

    def finish(self) -> tuple[str, Finish]:
        """Give the text that was held back, and the end."""
        reason = self._reason or "stop"
        finish = Finish(reason=reason, prompt_tokens=self._prompt_tokens, completion_tokens=self._count)
        return self._text.flush(), finish

    def _add_text(self, piece: str | bytes) -> str:
        if not piece:
            return ""
        if (
            self._count == self._limit
        ):  # one piece more than asked for: only now is it sure that it did not end by itself
            self._end("length")
            return ""
        self._count += 1
        text = self._text.feed(piece)
        if self._text.stopped:
            self._end("stop")
        return text

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        self.ended = True
