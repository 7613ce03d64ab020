"""uvicorn, with a shutdown that tells clients what is going on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import FrameType

import uvicorn

from uml_core.server.ending import Ending
from uml_core.server.in_flight import InFlight
from uml_core.server.protocol import GatewayProtocol

KEEP_ALIVE_S = 60
WAITING = "requests still being answered: %d; waiting up to %.0f s for them, or until asked to end again"
log = logging.getLogger(__name__)


class GatewayServer(uvicorn.Server):
    """uvicorn with a shutdown that lets requests end, and tells those that can't why."""

    def __init__(
        self,
        app: Callable[..., object],
        in_flight: InFlight,
        *,
        ending: Ending,
        on_stop: Callable[[], object] = lambda: None,
    ) -> None:
        """Serve *app*, once it's run.

        :param on_stop: called when the end begins, for what nobody will wait for
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=GatewayProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # else a client on this machine says who it is and which scheme it used
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=ending.connections_s,  # type: ignore[arg-type]  # a float is as good
            )
        )
        self._in_flight = in_flight
        self._on_stop = on_stop
        self._ending = ending
        self._loop = asyncio.get_running_loop()
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; uvicorn's own would drop the streams, and end the process by that signal."""
        del sig, frame
        self._loop.call_soon_threadsafe(self.stop)

    def stop(self) -> None:
        """Drain and end; asked again, end what runs; asked a third time, end at once."""
        if self._draining is None:
            self._ending.enforce()
            self._on_stop()
            if self._in_flight.count:
                log.warning(WAITING, self._in_flight.count, self._ending.drain_s)
            self._draining = self._loop.create_task(self._drain(), name="drain")
        elif not self.should_exit:
            self._in_flight.interrupt()
        else:
            self.force_exit = True

    async def _drain(self) -> None:
        ending = self._ending
        await self._in_flight.drain(ending.drain_s, last_words_s=ending.last_words_s, abort_s=ending.abort_s)
        self.should_exit = True
