"""What keeps web pages and other strangers out of a server that is open to its own machine.

A page of any site can make a browser send requests to 127.0.0.1, and a name of its own can be made to resolve there.
So the Host must be one of ours, the page must be one of ours or listed, and a body must be something that no page can
send without asking first.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from uml_core.errors import PermissionDeniedError, UnsupportedMediaTypeError
from uml_core.server.body import BodyReader, replayed
from uml_core.server.exchange import Exchange
from uml_core.server.pace import Pace
from uml_core.settings import ServerSettings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::\d{1,5})?")
_JSON = re.compile(rb"application/json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE)
LOOKED_AT = frozenset(
    {
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"content-type",
        b"content-length",
        b"expect",
        b"access-control-request-method",
        b"access-control-request-headers",
    }
)
POLICY_VIOLATION = 1008
BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Their bodies mean nothing and are not read; no page can send DELETE without asking first."""


class Security:
    """A pure ASGI app around another; what it lets through has its body read already."""

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, pace: Pace) -> None:
        self._app = app
        self._hosts = frozenset(_canonical(name) for name in (*LOOPBACK, settings.host, *settings.allowed_hosts))
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.allowed_origins) - {""}
        self._bodies = BodyReader(largest_bytes=settings.max_body_bytes, body_s=pace.body_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._admit(scope, receive, send)
        elif scope["type"] == "websocket":  # no path takes one yet, so none is let in
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope["headers"])
        exchange = Exchange.of(scope)
        self._check_host(headers)
        if self._is_listed(headers, scheme=scope["scheme"]):
            exchange.headers += _cors(headers)
            if scope["method"] == "OPTIONS":
                await exchange.answer(204, [], b"")
                return
        if scope["method"] not in BODILESS:
            _check_type(headers)
            size_bytes = int(headers.get(b"content-length", b"0"))
            waits = b"expect" in headers
            body = await self._bodies.read(receive, exchange, declared_bytes=size_bytes, waits=waits)
            receive = replayed(body, receive)
        await self._app(scope, receive, send)

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        said = headers.get(b"host", b"").decode("latin-1")
        match = _HOST.fullmatch(said)
        if match is None or _canonical(match["ipv6"] or match["name"]) not in self._hosts:
            raise PermissionDeniedError(
                f"'{said[:100]}' is not a name of this server; if it should be, add it to `allowed_hosts` in [server] "
                "of uml.toml"
            )

    def _is_listed(self, headers: Mapping[bytes, bytes], *, scheme: str) -> bool:
        """Whether the request comes from a listed web origin; one that isn't may only be the server's own."""
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin in self._origins:
            return True
        own = f"{scheme}://{headers[b'host'].decode('latin-1').lower()}"
        if headers.get(b"sec-fetch-site") == b"cross-site" or origin not in {"", own}:
            page = f"'{origin[:100]}'" if origin else "another site"
            raise PermissionDeniedError(
                f"a web page of {page} may not use this server; if it should, add its origin to `allowed_origins` in "
                "[server] of uml.toml"
            )
        return False


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers that are looked at; each may stand there once, or programs could read different ones."""
    found: dict[bytes, bytes] = {}
    for name, value in raw:
        if name in LOOKED_AT:
            if name in found:
                raise PermissionDeniedError(f"a request has one '{name.decode()}' header, this one has several")
            found[name] = value
    return found


def _canonical(host: str) -> str:
    host = host.strip("[]").lower()
    try:
        return str(ipaddress.ip_address(host)) if ":" in host else host
    except ValueError:
        return ""


def _check_type(headers: Mapping[bytes, bytes]) -> None:
    said = headers.get(b"content-type", b"")
    if not _JSON.fullmatch(said):
        raise UnsupportedMediaTypeError(
            f"the body's content type is '{said.decode('latin-1')[:100]}', but only 'application/json' is taken; "
            "set that header, and send at least '{}'"
        )


def _cors(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Let the browser show answers to the listed page, and send what it asks to send."""
    allowed = [(b"access-control-allow-origin", headers[b"origin"]), (b"vary", b"Origin")]
    if b"access-control-request-method" in headers:
        allowed.append((b"access-control-allow-methods", b"GET, POST, PUT, DELETE"))
        allowed.append(
            (b"access-control-allow-headers", headers.get(b"access-control-request-headers", b"content-type"))
        )
    return allowed
