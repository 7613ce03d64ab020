"""One answer of a model, as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from attrs import field, mutable


@mutable
class Answer:
    """Iterate over it for the text, piece by piece; then its other fields are filled.

    ``usage`` counts tokens (``prompt_tokens``, ``completion_tokens``) if the model said them. Closing it early
    cancels the work in the engine. Iterating raises a :class:`~uml_core.errors.UMLError` for whatever ends the
    answer before its end.
    """

    _chunks: Iterator[Mapping[str, Any]]
    _close: Callable[[], None] = field(default=lambda: None)
    text: str = ""
    model: str | None = None
    finish_reason: str | None = None
    usage: Mapping[str, Any] = field(factory=dict)

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks:
            piece = self._take(chunk)
            if piece:
                self.text += piece
                yield piece

    def _take(self, chunk: Mapping[str, Any]) -> str:
        self.model = chunk.get("model") or self.model
        self.usage = chunk.get("usage") or self.usage
        choice: Mapping[str, Any] = next(iter(chunk.get("choices") or ()), {})
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        return (choice.get("delta") or choice.get("message") or {}).get("content") or ""

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
