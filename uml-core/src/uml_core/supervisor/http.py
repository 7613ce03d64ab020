"""One HTTP request to a worker, on a connection of its own, and the answer while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools
from attrs import define

from uml_core.errors import UMLError, WorkerCrashedError, WorkerTimeoutError


@define(eq=False)
class Pulse:
    """A worker's signs of life: how often it was ``heard`` on any connection, and when it was last seen to work.

    ``given_up`` counts the requests that it was silent on for too long. ``worked_s`` is the loop's time; a worker that
    was never seen to work has the smallest there is.
    """

    heard: int = 0
    given_up: int = 0
    worked_s: float = float("-inf")


HIGH_WATER_BYTES = 256 * 1024
"""More than this unread, and the worker is made to wait."""

LARGEST_BODY_BYTES = 256 * 2**20
"""What :meth:`WorkerStream.read` will hold at most."""


class WorkerStream(asyncio.Protocol):
    """What a worker answers to one request; implements :class:`~uml_core.types.WorkerResponse`.

    Iterating gives all bytes that have arrived since the last time as one piece, so that a reader that falls behind
    does fewer and larger steps. :meth:`aclose` drops the connection at once, and that is what cancels in the engine.
    """

    def __init__(
        self, request: bytes, *, worker: str, silence_s: float, on_end: Callable[[], None], pulse: Pulse
    ) -> None:
        """Prepare one exchange.

        :param request: head and body, sent as one buffer when the connection is there
        :param worker: the words that errors name the worker with
        :param silence_s: longest time without a byte, while somebody wants to read
        :param on_end: called once, when the connection is no longer used
        :param pulse: the worker's; silence is none while it works
        """
        self.status = 0
        self.headers: dict[str, str] = {}
        self._request = request
        self._worker = worker
        self._silence_s = silence_s
        self._pulse = pulse
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pieces: list[bytes] = []
        self._unread_bytes = 0
        self._paused = False
        self._complete = False
        self._ended = False
        self._error: UMLError | None = None
        self._heard_s = self._loop.time()
        self._timer = self._loop.call_later(silence_s, self._listen)

    # The reader's side

    async def head(self) -> None:
        """Wait for the status and the headers.

        :raises WorkerCrashedError: the worker ended before
        :raises WorkerTimeoutError: it said nothing for too long
        """
        while not self.status:
            if self._error:
                raise self._error
            await self._wait()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error:
                raise self._error
            if self._complete or self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self._take()

    async def read(self) -> bytes:
        """Everything that is still to come.

        :raises WorkerCrashedError: the worker ended before, or sends more than a body may hold
        """
        pieces, size_bytes = [], 0
        async for piece in self:
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > LARGEST_BODY_BYTES:
                self._fail(WorkerCrashedError(f"{self._worker} sent a body that never ends"))
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Drop the connection; nothing more is read."""
        self.abort()

    def abort(self) -> None:
        """Drop the connection, from where nothing can be awaited."""
        self._pieces.clear()
        self._end()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take(self) -> bytes:
        pieces = self._pieces
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread_bytes = 0
        if self._paused and self._transport and not self._ended:
            self._paused = False
            self._heard_s = self._loop.time()
            self._transport.resume_reading()
        return taken

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._ended:
            transport.close()
        else:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            return
        self._heard_s = self._loop.time()
        self._pulse.heard += 1
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(WorkerCrashedError(f"{self._worker} sent something that is no HTTP: {error}"))
        if self._complete:
            self._end()
        elif self._unread_bytes > HIGH_WATER_BYTES and not self._paused and self._transport:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended:
            if exc is None and self.status and not self._is_framed():
                self._complete = True
            else:
                self._fail(
                    WorkerCrashedError(
                        f"{self._worker} closed the connection before its answer was complete; "
                        "`uml logs` has its last words"
                    )
                )
        self._end()
        self._wake()

    def _is_framed(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    def _listen(self) -> None:
        """Look whether the worker was silent for too long; while the reader holds it back, it may be."""
        now = self._loop.time()
        silent_s = 0.0 if self._paused else now - max(self._heard_s, self._pulse.worked_s)
        if silent_s < self._silence_s:
            self._timer = self._loop.call_later(self._silence_s - silent_s, self._listen)
        else:
            self._pulse.given_up += 1
            self._fail(
                WorkerTimeoutError(
                    f"{self._worker} said nothing for {self._silence_s:g} s; if its answers take that long, ask for a "
                    "stream, or raise `request_timeout_s` in [supervisor] of uml.toml"
                )
            )
            self._wake()

    def _fail(self, error: UMLError) -> None:
        if self._error is None and not self._ended:
            self._error = error
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._timer.cancel()
        self._parser = None  # it and this object refer to each other
        if self._transport is not None:
            self._transport.abort()
        self._on_end()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._parser is not None:
            self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        self._complete = True
