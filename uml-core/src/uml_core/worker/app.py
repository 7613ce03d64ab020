"""The worker's HTTP face: health, and one path for each method that the engine has."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import frozen

from uml_core.errors import ModelLoadingError, NotFoundError, TaskNotSupportedError, UMLError
from uml_core.types import Plan
from uml_core.worker.answer import send_stream, send_whole
from uml_core.worker.engine import EngineThread
from uml_core.worker.frames import ChatFrames, CompletionFrames, Frames
from uml_core.worker.generation import Abandoned, Generation
from uml_core.worker.http import ClientGone, Receive, Send, read_json, send_error, send_json
from uml_core.worker.requests import ChatRequest, CompletionRequest, GenerationRequest, wrong
from uml_core.worker.support import check_supported

STALL_S = 60.0
"""How long one write may wait for its reader: the engine serves one at a time, so who reads nothing holds up all."""

log = logging.getLogger(__name__)


@frozen
class _Route:
    method: str
    request: type[GenerationRequest]
    frames: type[Frames]


_ROUTES: Mapping[str, _Route] = {
    "/v1/chat/completions": _Route("chat", ChatRequest, ChatFrames),
    "/v1/completions": _Route("complete", CompletionRequest, CompletionFrames),
}


class _Unauthorized(UMLError):
    """The request came without this launch's token."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class App:
    """An ASGI application that answers whoever knows the token."""

    def __init__(self, engine: EngineThread, plan: Plan, token: str, *, stall_s: float = STALL_S) -> None:
        self._engine = engine
        self._model_id = plan.model_id
        self._credential = f"Bearer {token}".encode()
        self._stall_s = stall_s

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        with suppress(ClientGone, Abandoned):
            try:
                await self._dispatch(scope, receive, send)
            except UMLError as error:
                await send_error(send, error)

    async def _dispatch(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        self._check_token(scope)
        if (method, path) == ("GET", "/health"):
            await self._send_health(send)
        elif method == "POST" and path in _ROUTES:
            await self._answer(_ROUTES[path], await read_json(receive), receive, send)
        else:
            raise NotFoundError(f"this worker has no '{method} {path}'")

    def _check_token(self, scope: Mapping[str, Any]) -> None:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not hmac.compare_digest(given, self._credential):
            raise _Unauthorized("this worker answers only the gateway that started it")

    async def _send_health(self, send: Send) -> None:
        engine, ready = self._engine, self._engine.engine is not None
        body = {
            "state": "ready" if ready else "loading",
            "progress": 1.0 if ready else engine.progress,
            "activity": engine.activity,
            "queued": engine.queued,
            "overhead_bytes": engine.overhead_bytes,
        }
        await send_json(send, 200 if ready else 503, body)

    async def _answer(self, route: _Route, body: dict[str, Any], receive: Receive, send: Send) -> None:
        streamed, usage = _stream_options(body)
        generation = self._begin(route, body)
        watcher = asyncio.create_task(self._withdraw_when_gone(receive, generation))
        frames = route.frames(self._model_id)
        try:
            if streamed:
                await send_stream(generation, frames, send, usage=usage, stall_s=self._stall_s)
            else:
                await send_whole(generation, frames, send)
        except TimeoutError:
            log.warning("a reader took nothing for %g s, so its answer was cancelled", self._stall_s)
        finally:
            watcher.cancel()
            self._engine.withdraw(generation)

    def _begin(self, route: _Route, body: Mapping[str, Any]) -> Generation:
        engine = self._engine.engine
        if engine is None:
            raise ModelLoadingError("the model is still being loaded; ask again", retry_after_s=1)
        answer = getattr(engine, route.method, None)
        if answer is None:
            raise TaskNotSupportedError(f"'{self._model_id}' has no '{route.method}' in this backend", param="model")
        generation = Generation(asyncio.get_running_loop(), tick=self._engine.tick)
        request = route.request.read(body, generation.cancelled)
        check_supported(request.extra, getattr(engine, "honours", ()))
        self._engine.submit(generation, answer, request)
        return generation

    async def _withdraw_when_gone(self, receive: Receive, generation: Generation) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._engine.withdraw(generation)


def _stream_options(body: Mapping[str, Any]) -> tuple[bool, bool]:
    stream, options = body.get("stream") or False, body.get("stream_options") or {}
    if not isinstance(stream, bool):
        raise wrong("stream", "must be true or false")
    if not isinstance(options, dict):
        raise wrong("stream_options", "must be an object")
    return stream, bool(options.get("include_usage"))
