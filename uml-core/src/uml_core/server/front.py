"""The outermost layer: every request gets an id, an answer in one shape, and a line in the log."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from uml_core.errors import InternalServerError, ShuttingDownError, UMLError
from uml_core.server.exchange import ClientGone, Exchange, Over
from uml_core.server.in_flight import InFlight

CLIENT_CLOSED = 499
"""What the log says where no status was sent, because nobody was left to read it."""

SAFE_HEADERS = [(b"x-content-type-options", b"nosniff")]

log = logging.getLogger(__name__)
requests = structlog.get_logger()


class Front:
    """A pure ASGI app around another; errors of the tree may be raised anywhere within."""

    def __init__(self, app: ASGIApp, *, in_flight: InFlight, last_words_s: float) -> None:
        """Wrap *app*.

        :param last_words_s: how long a client may take to hear why its answer ends early
        """
        self._app = app
        self._in_flight = in_flight
        self._last_words_s = last_words_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = Exchange(scope, send, headers=SAFE_HEADERS)
        scope["uml.exchange"] = exchange
        self._in_flight.add(exchange)
        try:
            await self._answer(exchange, receive)
        finally:
            self._in_flight.discard(exchange)
            exchange.loop.call_soon(_end, exchange)  # the answer's bytes leave first

    async def _answer(self, exchange: Exchange, receive: Receive) -> None:
        try:
            self._in_flight.check_open(exchange.scope["method"])
            await self._app(exchange.scope, receive, exchange.send)
        except ClientGone as gone:
            exchange.ended = gone.code
        except asyncio.CancelledError:
            reason = exchange.interruption()
            if reason is None:
                exchange.ended = exchange.ended or ShuttingDownError.code
                raise
            await self._conclude(exchange, reason)
        except UMLError as error:
            await self._conclude(exchange, error)
        except Exception:
            log.exception("unexpected error at %s in request %s", exchange.scope["path"], exchange.id)
            await self._conclude(exchange, unexpected(exchange))

    async def _conclude(self, exchange: Exchange, reason: UMLError | ClientGone | Over) -> None:
        """Say the last words; a client that takes nothing can't have them, and is cut off."""
        try:
            async with asyncio.timeout(self._last_words_s):
                await exchange.conclude(reason)
        except TimeoutError:
            exchange.abort()


def unexpected(exchange: Exchange) -> InternalServerError:
    """What the client is told of an error that nobody foresaw: where to look, and nothing of the inside."""
    return InternalServerError(f"something went wrong here; the log has it under '{exchange.id}'")


def _end(exchange: Exchange) -> None:
    if exchange.at_end is not None:
        exchange.at_end(exchange)
    _log(exchange)


def _log(exchange: Exchange) -> None:
    """One line a request: what was asked of whom, how it ended, how long it took; never a prompt or an answer."""
    if not structlog.is_configured():  # it would print to stdout, and nobody has asked for that
        return
    facts = {
        "id": exchange.id,
        "method": exchange.scope["method"],
        "path": exchange.scope["path"],
        "status": exchange.status or CLIENT_CLOSED,
        "ms": round((monotonic() - exchange.started_s) * 1000, 1),
    }
    if exchange.model is not None:
        facts |= {"model": exchange.model, "generation": exchange.generation}
    if exchange.usage.completion_tokens is not None:
        facts |= {"prompt_tokens": exchange.usage.prompt_tokens, "tokens": exchange.usage.completion_tokens}
    if exchange.attempts > 1:
        facts["attempts"] = exchange.attempts
    if exchange.ended is not None:
        facts["ended"] = exchange.ended
    requests.info("request", **facts)
