"""What a worker is asked on which path, and which method of the engine answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

from attrs import frozen

from uml_core.worker.chat_frames import ChatFrames
from uml_core.worker.completion_frames import CompletionFrames
from uml_core.worker.frames import Frames
from uml_core.worker.requests import ChatRequest, CompletionRequest, GenerationRequest


class Request(Protocol):
    """A kind of request whose answer is made whole by the engine."""

    @classmethod
    def read(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = ...) -> Any:
        """Take the fields out of a JSON body."""
        ...


@frozen
class TextRoute:
    """Answers that are text, which may be streamed."""

    method: str
    request: type[GenerationRequest]
    frames: type[Frames]


@frozen
class WholeRoute:
    """Answers that the engine gives whole, as JSON."""

    method: str
    request: type[Request]


@cache
def routes() -> Mapping[str, TextRoute | WholeRoute]:
    """Every path; looked up when the first request comes, so that a worker starts without what it may not need."""
    from uml_core.worker.encode.requests import ClassifyRequest, EmbeddingRequest, RankRequest

    return {
        "/v1/chat/completions": TextRoute("chat", ChatRequest, ChatFrames),
        "/v1/completions": TextRoute("complete", CompletionRequest, CompletionFrames),
        "/v1/embeddings": WholeRoute("embed", EmbeddingRequest),
        "/v1/rerank": WholeRoute("rank", RankRequest),
        "/v1/classify": WholeRoute("classify", ClassifyRequest),
    }
