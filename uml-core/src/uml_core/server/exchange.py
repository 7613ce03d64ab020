"""One HTTP request and its answer."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import re
import secrets
import socket
import sys
import termios
from collections.abc import Callable
from time import monotonic
from typing import Self

from starlette.types import Message, Scope, Send

from uml_core.errors import UMLError
from uml_core.server.errors import frame_of, response_of
from uml_core.server.usage import Usage

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PREFIX, _NUMBERS = f"req_{secrets.token_hex(8)}", itertools.count(1)
"""A new id is unlike those of other processes, and the next one of this."""

EVENT_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class ClientGone(Exception):
    """The client has closed its connection, or was cut off: nobody is left to answer. ``code`` says which."""

    def __init__(self, code: str = "client_gone") -> None:
        super().__init__(code)
        self.code = code


class Over(Exception):
    """A stream that has no end of its own ends now, and there is nothing wrong."""

    code = None


class Exchange:
    """A request on its way. Its own task answers it; others may only :meth:`interrupt` that task.

    ``status`` is None until the head of the answer is sent; ``ended`` says what ended it before its end. ``first_s``
    is when the first frame of a stream's data came. ``attempts`` counts the workers that were asked, ``queue_s`` how
    long it waited for them. ``at_end`` is called once, when nothing more happens to it. Times are
    :func:`time.monotonic`'s: uvloop's own clock knows only milliseconds.
    """

    def __init__(self, scope: Scope, send: Send, *, headers: list[tuple[bytes, bytes]]) -> None:
        """Take over *send*.

        :param headers: what the answer's head has in any case
        """
        self.loop = asyncio.get_running_loop()
        self.started_s = monotonic()
        self.sent_s = self.started_s
        self.first_s: float | None = None
        self.scope = scope
        self.id = _request_id(scope)
        self.headers = [(b"x-request-id", self.id.encode()), *headers]
        self.status: int | None = None
        self.streams = False
        self.complete = False
        self.writing = False
        self.ended: str | None = None
        self.model: str | None = None
        self.generation: int | None = None
        self.usage = Usage()
        self.attempts = 1
        self.queue_s = 0.0
        self.at_end: Callable[[Exchange], None] | None = None
        self._send = send
        self._task = asyncio.current_task()
        self._reason: UMLError | ClientGone | Over | None = None

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """The exchange that *scope* belongs to."""
        exchange: Self = scope["uml.exchange"]
        return exchange

    async def send(self, message: Message) -> None:
        """Send as an ASGI app does; the head gets the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.headers]
            if self.attempts > 1:
                message["headers"].append((b"x-uml-attempts", b"%d" % self.attempts))
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)

    async def begin_stream(self) -> None:
        """Send the head of an event stream, unless it is sent already."""
        if self.status is None:
            self.streams = True
            headers = list(EVENT_STREAM)
            if self.generation is not None:
                headers.append((b"x-uml-generation", b"%d" % self.generation))
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
            self.sent_s = monotonic()

    async def write(self, block: bytes, *, last: bool = False) -> None:
        """Send a part of the body; returns when the client's side has room for more."""
        self.complete = last
        self.writing = True
        await self._send({"type": "http.response.body", "body": block, "more_body": not last})
        self.writing = False
        self.sent_s = monotonic()

    async def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole answer."""
        self.writing = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
        self.writing = False

    async def fail(self, error: UMLError) -> None:
        """Tell the client of *error* in the way that is still open: as a response, or as a stream's last frame."""
        self.ended = error.code
        if self.status is None:
            await self.answer(*response_of(error))
        elif self.streams and not self.complete:
            await self.write(frame_of(error), last=True)
        elif not self.complete:
            raise error  # a body of a known length can't be ended early: the connection is dropped

    async def conclude(self, reason: UMLError | ClientGone | Over) -> None:
        """Say the last words, if there is anybody to hear them; from here on nothing interrupts."""
        self._reason = reason
        if isinstance(reason, UMLError):
            await self.fail(reason)
        elif isinstance(reason, Over) and self.streams and not self.complete:
            await self.write(b"", last=True)

    def interrupt(self, reason: UMLError | ClientGone | Over) -> None:
        """End the work on this request, wherever it is."""
        if self._reason is None and not self.complete and self._task is not None:
            self._reason = reason
            self.ended = reason.code
            self._task.cancel()

    def interruption(self) -> UMLError | ClientGone | Over | None:
        """Why the task was cancelled, if :meth:`interrupt` did it; the cancellation is then over."""
        if self._reason is None or self._task is None or self._task.uncancel() > 0:
            return None
        return self._reason

    @property
    def unsent_bytes(self) -> int:
        """What the client's machine has not taken yet, of what is here and of what this system holds for it."""
        transport = self.scope.get("uml.transport")
        if transport is None:
            return 0
        return int(transport.get_write_buffer_size()) + _unacknowledged_bytes(transport.get_extra_info("socket"))

    def abort(self) -> None:
        """Drop the connection, with everything that the client has not taken."""
        transport = self.scope.get("uml.transport")
        if transport is not None:
            transport.abort()


def _unacknowledged_bytes(connection: socket.socket | None) -> int:
    """What the system has sent or will send; 0 where it can't be asked, and on a connection that is gone."""
    if connection is None:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):
        return 0


def _request_id(scope: Scope) -> str:
    """The client's own id, if it is one that can stand in a log line; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            said: str = value.decode()
            return said
    return f"{_PREFIX}{next(_NUMBERS):08x}"
