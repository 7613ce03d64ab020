"""The little of ASGI that a worker needs; no framework, for a token is worth microseconds."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from uml_core.errors import BadRequestError, PayloadTooLargeError, UMLError
from uml_core.worker.events import encode, error_body

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 64 * 2**20


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_json(receive: Receive) -> dict[str, Any]:
    """Read the body of a request.

    :raises BadRequestError: it is no JSON object
    :raises PayloadTooLargeError: it is over 64 MiB
    :raises ClientGone: the connection was closed
    """
    raw = await _read(receive)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequestError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    if b"\\ud" in raw.lower():
        _check_characters(body)
    return body


def _check_characters(body: Mapping[str, Any]) -> None:
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequestError("the body holds half a character (a lone surrogate)") from None


async def _read(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise PayloadTooLargeError(f"the body is over {MAX_BODY_BYTES >> 20} MiB")
        more = message.get("more_body", False)
    return b"".join(parts)


async def send_start(send: Send, status: int, headers: Mapping[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})


async def send_body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def send_json(
    send: Send, status: int, body: Mapping[str, Any], *, headers: Mapping[bytes, bytes] | None = None
) -> None:
    """Send a whole answer."""
    await send_raw(send, status, encode(body).encode("ascii"), headers=headers)


async def send_raw(send: Send, status: int, raw: bytes, *, headers: Mapping[bytes, bytes] | None = None) -> None:
    """Send a whole answer that is JSON already."""
    fixed = {b"content-type": b"application/json", b"content-length": b"%d" % len(raw)}
    await send_start(send, status, {**fixed, **(headers or {})})
    await send_body(send, raw, more=False)


async def send_error(send: Send, error: UMLError) -> None:
    """Send an error with its status."""
    wait = error.retry_after_s
    headers = {} if wait is None else {b"retry-after": b"%d" % wait}
    await send_json(send, error.status, error_body(error), headers=headers)
