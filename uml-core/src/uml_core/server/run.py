"""The gateway as a process: from the settings to the last request."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from uml_core.errors import SettingsError

if TYPE_CHECKING:
    from uml_core.client.gateway import Gateway
    from uml_core.settings import Settings


def run(settings: Settings, *, on_ready: Callable[[Gateway], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; returns when the last request has ended and the worker is gone.

    :param on_ready: called once, when requests are taken
    :raises UMLError: it can't be started: an address that strangers could reach, a taken port, another gateway
    """
    gc.disable()  # starting makes a quarter of a million objects, and none of them is garbage

    def ready(gateway: Gateway) -> None:
        gc.freeze()  # nor will they be: looking through them again costs 50 ms each time
        gc.enable()
        if on_ready is not None:
            on_ready(gateway)

    from uml_core.server import logs

    logs.configure(file=settings.log_folder / "gateway.log")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, on_ready=ready))


async def serve(settings: Settings, *, on_ready: Callable[[Gateway], None]) -> None:
    """Do what :func:`run` does, on the running loop."""
    from uml_core.server.gateway import announced, hold
    from uml_core.supervisor.endpoint import gateway_listener

    refuse_strangers(settings.server.host)
    with hold(settings.run_folder), gateway_listener(settings.server.host, settings.server.port) as listener:
        from uml_core.server.app import create_app
        from uml_core.server.compose import plugins_of, registry_of, supervisor_of
        from uml_core.server.gateway_server import GatewayServer
        from uml_core.server.in_flight import InFlight

        plugins = plugins_of(settings)
        registry = registry_of(settings, plugins)
        async with supervisor_of(settings, plugins, registry) as supervisor:
            in_flight = InFlight()
            app = create_app(settings, plugins, registry, supervisor, in_flight=in_flight)
            server = GatewayServer(app, in_flight, drain_s=settings.supervisor.drain_timeout_s)
            with announced(settings.run_folder, url_of(listener)) as gateway:
                on_ready(gateway)
                await server.serve([listener])


def refuse_strangers(host: str) -> None:
    """Refuse an address that other machines could reach: nothing asks them for a key yet.

    :raises SettingsError: it is one, or no address of this machine
    """
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host or "-", None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
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
