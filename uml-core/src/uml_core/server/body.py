"""The body of a request: all of it, or a refusal, before anything else looks at it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NoReturn

from starlette.types import Message, Receive

from uml_core.errors import PayloadTooLargeError, RequestTimeoutError
from uml_core.server.exchange import ClientGone, Exchange

SLOWEST_BYTES_PER_S = 64 * 1024
LINGER_S = 2.0
CLOSE = (b"connection", b"close")


class BodyReader:
    """Reads bodies up to a size, within ``body_s`` and a second more for each 64 KiB that came."""

    def __init__(self, *, largest_bytes: int, body_s: float) -> None:
        self._largest_bytes = largest_bytes
        self._body_s = body_s

    async def read(self, receive: Receive, exchange: Exchange, *, declared_bytes: int, waits: bool) -> bytes:
        """Read all of it.

        :param declared_bytes: what the client says that it will send, 0 if it doesn't say
        :param waits: the client sends nothing before it is asked to
        :raises PayloadTooLargeError: it is larger than it may be
        :raises ClientGone: the client left
        """
        if declared_bytes > self._largest_bytes:
            await self._refuse(receive, exchange, linger=not waits)
        pieces: list[bytes] = []
        size_bytes, more, loop = 0, True, exchange.loop
        until_s = loop.time() + self._body_s
        while more and size_bytes <= self._largest_bytes:
            # a plain timer: a timeout's context is a tenth of what all of this layer costs
            timer = loop.call_at(until_s + size_bytes / SLOWEST_BYTES_PER_S, _on_slow_body, exchange)
            try:
                more = await _next_piece(receive, pieces)
            finally:
                timer.cancel()
            size_bytes += len(pieces[-1])
        if size_bytes > self._largest_bytes:
            await self._refuse(receive, exchange, linger=more)
        return b"".join(pieces)

    async def _refuse(self, receive: Receive, exchange: Exchange, *, linger: bool) -> NoReturn:
        """Take a while of the rest before refusing: a client that is still sending can't read an answer."""
        exchange.headers.append(CLOSE)
        if linger:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    while await _next_piece(receive, []):
                        pass
        raise PayloadTooLargeError(
            f"the request's body is larger than {self._largest_bytes} bytes; shorten it, or raise `max_body_bytes` "
            "in [server] of uml.toml"
        )


async def _next_piece(receive: Receive, pieces: list[bytes]) -> bool:
    """Append the body's next piece; whether there are more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    pieces.append(message.get("body", b""))
    more: bool = message.get("more_body", False)
    return more


def _on_slow_body(exchange: Exchange) -> None:
    exchange.headers.append(CLOSE)
    exchange.interrupt(RequestTimeoutError("the request's body came too slowly; send it again"))


def replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives *body* first, then whatever else happens."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
