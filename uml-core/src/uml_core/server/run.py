"""The gateway as a process: from the settings to the last request."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from uml_core.client.gateway import Gateway
from uml_core.errors import SettingsError
from uml_core.server import logs
from uml_core.server.app import create_app
from uml_core.server.compose import plugins_of, registry_of, supervisor_of
from uml_core.server.exchange import InFlight
from uml_core.server.gateway import announced, hold
from uml_core.settings import Settings
from uml_core.supervisor.endpoint import gateway_listener

KEEP_ALIVE_S = 60


def run(settings: Settings, *, on_ready: Callable[[Gateway], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; returns when the last request has ended and the worker is gone.

    :param on_ready: called once, when requests are taken
    :raises UMLError: it can't be started: an address that strangers could reach, a taken port, another gateway
    """
    logs.configure()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, on_ready=on_ready))


async def serve(settings: Settings, *, on_ready: Callable[[Gateway], None] | None = None) -> None:
    """Do what :func:`run` does, on the running loop."""
    refuse_strangers(settings.server.host)
    with hold(settings.run_folder), gateway_listener(settings.server.host, settings.server.port) as listener:
        plugins = plugins_of(settings)
        registry = registry_of(settings, plugins)
        async with supervisor_of(settings, plugins, registry) as supervisor:
            in_flight = InFlight()
            app = create_app(settings, plugins, registry, supervisor, in_flight=in_flight)
            server = GatewayServer(app, in_flight, drain_s=settings.supervisor.drain_timeout_s)
            with announced(settings.run_folder, url_of(listener)) as gateway:
                if on_ready is not None:
                    on_ready(gateway)
                await server.serve([listener])


class GatewayServer(uvicorn.Server):
    """uvicorn with a shutdown that lets requests end, and tells those that can't why."""

    def __init__(self, app: Callable[..., object], in_flight: InFlight, *, drain_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # else a client on this machine says who it is and which scheme it used
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=5,
            )
        )
        self._in_flight = in_flight
        self._drain_s = drain_s
        self._loop = asyncio.get_running_loop()
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; uvicorn's own would drop the streams, and end the process by that signal."""
        del sig, frame
        self._loop.call_soon_threadsafe(self.stop)

    def stop(self) -> None:
        """Drain and end; asked again, end what runs; asked a third time, end at once."""
        if self._draining is None:
            self._draining = self._loop.create_task(self._drain(), name="drain")
        elif not self.should_exit:
            self._in_flight.interrupt()
        else:
            self.force_exit = True

    async def _drain(self) -> None:
        await self._in_flight.drain(self._drain_s)
        self.should_exit = True


def refuse_strangers(host: str) -> None:
    """Refuse an address that other machines could reach: nothing asks them for a key yet.

    :raises SettingsError: it is one, or no address of this machine
    """
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        raise SettingsError(f"'{host}' is no address of this machine; set `host` in [server] to 127.0.0.1") from None
    if not all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        raise SettingsError(
            f"'{host}' can be reached from other machines, and no auth scheme is installed that would ask them for a "
            "key; set `host` in [server] to 127.0.0.1, and let a tunnel such as `ssh -L` bring others in"
        )


def url_of(listener: socket.socket) -> str:
    """The URL of what listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
