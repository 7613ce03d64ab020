"""The worker's HTTP face: health, and one path for each method that an engine may have."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from uml_core.errors import NotFoundError, UMLError
from uml_core.types import Plan
from uml_core.types.worker import WORKER_PROTOCOL
from uml_core.worker.answer import send_made, send_stream, send_whole
from uml_core.worker.desk import Desk
from uml_core.worker.engine import EngineThread
from uml_core.worker.fields import flag, wrong
from uml_core.worker.generation import Abandoned, Generation
from uml_core.worker.http import ClientGone, Receive, Send, read_json, send_error, send_json
from uml_core.worker.routes import TextRoute, WholeRoute, routes

STALL_S = 60.0
"""How long one write may wait for its reader, whose answer holds a place that another could have."""

log = logging.getLogger(__name__)


class _Unauthorized(UMLError):
    """The request came without this launch's token."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class App:
    """An ASGI application that answers whoever knows the token."""

    def __init__(self, engine: EngineThread, plan: Plan, token: str, *, stall_s: float = STALL_S) -> None:
        self._engine = engine
        self._desk = Desk(engine, plan.model_id)
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
        elif method == "POST" and (route := routes().get(path)):
            await self._answer(route, await read_json(receive), receive, send)
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
            "protocol": WORKER_PROTOCOL,
            "progress": 1.0 if ready else engine.progress,
            "activity": engine.activity,
            "queued": engine.queued,
            "overhead_bytes": engine.overhead_bytes,
        }
        await send_json(send, 200 if ready else 503, body)

    async def _answer(self, route: TextRoute | WholeRoute, body: dict[str, Any], receive: Receive, send: Send) -> None:
        generation = Generation(asyncio.get_running_loop(), tick=self._engine.tick, roomy=self._engine.look)
        self._engine.open(generation)
        watcher = asyncio.create_task(self._withdraw_when_gone(receive, generation))
        try:
            if isinstance(route, TextRoute):
                await self._send_text(route, body, generation, send)
            else:
                await self._desk.ask(route, body, generation)
                await send_made(generation, send)
        except TimeoutError:
            log.warning("a reader took nothing for %g s, so its answer was cancelled", self._stall_s)
        finally:
            watcher.cancel()
            self._engine.withdraw(generation)

    async def _send_text(self, route: TextRoute, body: Mapping[str, Any], generation: Generation, send: Send) -> None:
        streamed, usage = flag(body, "stream"), _wants_usage(body)
        frames = route.frames(self._model_id, await self._desk.ask_text(route, body, generation))
        if streamed:
            await send_stream(generation, frames, send, usage=usage, stall_s=self._stall_s)
        else:
            await send_whole(generation, frames, send)

    async def _withdraw_when_gone(self, receive: Receive, generation: Generation) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._engine.withdraw(generation)


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise wrong("stream_options", "must be an object")
    return bool(options.get("include_usage"))
