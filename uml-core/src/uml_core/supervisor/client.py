"""Talk to a worker: the path that every request's bytes take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pydantic_core import to_json

from uml_core.errors import WorkerCrashedError, WorkerTimeoutError
from uml_core.supervisor.http import Pulse, WorkerStream

Adapt: TypeAlias = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
CONNECT_S = 10.0
"""A worker's listening socket accepts by the kernel's hand, so that even a busy worker is connected to at once."""


class WorkerClient:
    """A worker's address and token; implements :class:`~uml_core.types.Worker`.

    Every request has a fresh connection: llama.cpp's server closes kept-alive ones at will, so that a write on a
    reused connection may fail after the request was half read. On loopback a fresh one costs some 0.1 ms.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        *,
        model_id: str,
        generation: int,
        error_codes: Mapping[str, str],
        silence_s: float,
        rewrites_frames: bool = False,
        adapt: Adapt | None = None,
    ) -> None:
        """Remember where the worker is; nothing is sent yet.

        :param model_id: what users call the model
        :param generation: the launch that this worker is of
        :param error_codes: the engine's own error types, and the OpenAI codes that they mean
        :param silence_s: longest time without a byte within one answer
        :param rewrites_frames: the engine can't echo the model's name, so the relay writes it into each frame
        :param adapt: says a request as the engine understands it
        """
        self.model_id = model_id
        self.generation = generation
        self.error_codes = error_codes
        self.rewrites_frames = rewrites_frames
        self.active_streams = 0
        self.pulse = Pulse()
        self._adapt = adapt
        self._host = host
        self._port = port
        self._silence_s = silence_s
        name = f"[{host}]" if ":" in host else host
        self._head = f"Host: {name}:{port}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"

    def __repr__(self) -> str:
        return f"WorkerClient({self._host}:{self._port}, model_id={self.model_id!r}, generation={self.generation})"

    async def post(self, path: str, body: Mapping[str, Any]) -> WorkerStream:
        """Send *body* as JSON and wait for the head of the answer, whatever its status is.

        :raises UMLError: the engine has no way to understand it
        :raises WorkerCrashedError: nobody listens, or the worker ended before it answered
        :raises WorkerTimeoutError: it said nothing for ``silence_s``
        """
        data = to_json(self._adapt(path, body) if self._adapt else body)
        head = f"{self._head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        return await self._send("POST", path, head.encode("latin-1") + data)

    async def get(self, path: str) -> WorkerStream:
        """Ask for *path*; raises as :meth:`post` does."""
        return await self._send("GET", path, f"{self._head}\r\n".encode("latin-1"))

    async def _send(self, method: str, path: str, rest: bytes) -> WorkerStream:
        if not path.isascii() or not path.isprintable() or " " in path:
            raise ValueError(f"{path!r} is no path of a worker")
        worker = f"the worker of '{self.model_id}'"
        request = f"{method} {path} HTTP/1.1\r\n".encode("latin-1") + rest
        stream = WorkerStream(request, worker=worker, silence_s=self._silence_s, on_end=self._on_end, pulse=self.pulse)
        self.active_streams += 1
        try:
            await self._connect(stream, worker)
            await stream.head()
        except BaseException:
            stream.abort()
            raise
        return stream

    async def _connect(self, stream: WorkerStream, worker: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(CONNECT_S, self._silence_s)):
                await loop.create_connection(lambda: stream, self._host, self._port)
        except TimeoutError:
            raise WorkerTimeoutError(f"{worker} takes no connection; ask again later") from None
        except OSError as error:
            raise WorkerCrashedError(
                f"{worker} is gone: nothing answers on its port ({error.strerror or error}); load the model again"
            ) from None

    def _on_end(self) -> None:
        self.active_streams -= 1
