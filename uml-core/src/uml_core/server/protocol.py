"""One connection of a client: uvicorn's protocol, with limits on a request's head, and short answers in one packet."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from uml_core.errors import BadRequestError, PayloadTooLargeError, RequestTimeoutError, UMLError
from uml_core.server.errors import response_of

HEAD_S = 10.0
LARGEST_HEAD_BYTES = 64 * 1024


class GatewayProtocol(HttpToolsProtocol):
    """Ends connections whose request's head is too slow or too large, and answers broken HTTP in OpenAI's shape."""

    head_s = HEAD_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(JoiningTransport(cast("asyncio.Transport", transport), self.loop))
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def _await_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._on_slow_head)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_message_begin(self) -> None:
        """Begin another request; the time for its head runs from here."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Go on with a head that is whole."""
        self._end_head()
        self.scope["uml.transport"] = self.transport  # type: ignore[typeddict-unknown-key]  # to cut off a client
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a head that is not whole yet."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD_BYTES:
                self._refuse(PayloadTooLargeError(f"the request's head is larger than {LARGEST_HEAD_BYTES} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_head()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(BadRequestError(f"this is no HTTP request that could be understood: {msg}"))

    def _on_slow_head(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(RequestTimeoutError("the request's head came too slowly; send it again"))
        else:
            self.transport.close()  # it never asked for anything

    def _refuse(self, error: UMLError) -> None:
        self._end_head()
        status, headers, body = response_of(error)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nconnection: close\r\n".encode()
        fields = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        self.transport.write(head + fields + b"\r\n" + body)
        self.transport.close()


class JoiningTransport(asyncio.Transport):
    """Holds the head of an answer until what follows it in the same turn of the loop, and sends both as one packet.

    uvicorn writes them one by one, and uvloop sends each write at once, so that a client would be woken twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data[:5] == b"HTTP/":
            self._head = bytes(data)
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def _flush(self) -> None:
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._head = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size() + len(self._head)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)
