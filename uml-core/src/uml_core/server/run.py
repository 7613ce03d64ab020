"""The gateway as a process: from the settings to the last request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from uml_core.errors import SettingsError

if TYPE_CHECKING:
    from uml_core.client.gateway import Gateway
    from uml_core.registry import Registry
    from uml_core.server.ending import Ending
    from uml_core.server.scans import Scans
    from uml_core.settings import Settings
    from uml_core.storage import Storage


def run(settings: Settings, *, on_ready: Callable[[Gateway], None] | None = None, ending: Ending | None = None) -> None:
    """Serve until SIGTERM or SIGINT; returns when the last request has ended and the worker is gone.

    If that takes longer than *ending* allows in all, the process ends here and now, and the worker with it.

    :param on_ready: called once, when requests are taken
    :param ending: how long which part of the end may take, if it is to differ from the usual
    :raises UMLError: it can't be started: an address that strangers could reach, a taken port, another gateway
    """
    gc.disable()  # starting makes a quarter of a million objects, and none of them is garbage

    def ready(gateway: Gateway) -> None:
        gc.freeze()  # nor will they be: looking through them again costs 50 ms each time
        gc.enable()
        if on_ready is not None:
            on_ready(gateway)

    from uml_core.server import logs
    from uml_core.server.ending import Ending, in_time

    logs.configure(file=settings.log_folder / "gateway.log")
    with in_time(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, on_ready=ready, ending=ending or Ending.of(settings.supervisor)))


async def serve(settings: Settings, *, on_ready: Callable[[Gateway], None], ending: Ending) -> None:
    """Do what :func:`run` does, on the running loop."""
    from uml_core.server.gateway import announced, hold
    from uml_core.supervisor.endpoint import gateway_listener

    refuse_strangers(settings.server.host)
    with hold(settings.run_folder), gateway_listener(settings.server.host, settings.server.port) as listener:
        from uml_core.server.app import create_app
        from uml_core.server.compose import plugins_of, registry_of, storage_of, supervisor_of
        from uml_core.server.gateway_server import GatewayServer
        from uml_core.server.in_flight import InFlight
        from uml_core.server.news import StorageNews
        from uml_core.server.performance import Performance
        from uml_core.server.restore import restore
        from uml_core.server.scans import Scans
        from uml_core.server.served import Served

        plugins, news = plugins_of(settings), StorageNews()
        storage = storage_of(settings, on_event=news)
        registry = registry_of(settings, plugins, storage=storage)
        news.on_new = registry.records.put_all
        lifecycle, performance = supervisor_of(settings, plugins, registry, storage=storage), Performance()
        with kept(storage, limit_s=ending.storage_s):
            async with lifecycle as supervisor, Served(performance, supervisor, registry.records):
                news.events, in_flight = supervisor.events, InFlight()
                scans = Scans(registry, supervisor.events)
                app = create_app(
                    settings, plugins, registry, supervisor,
                    storage=storage, scans=scans, in_flight=in_flight, performance=performance,
                )  # fmt: skip
                server = GatewayServer(app, in_flight, ending=ending, on_stop=scans.close)
                with watched(settings, registry, scans), announced(settings.run_folder, url_of(listener)) as gateway:
                    on_ready(gateway)
                    wanted = settings.supervisor.restore
                    restoring = asyncio.create_task(restore(supervisor, storage)) if wanted else None
                    await server.serve([listener])
                    if restoring is not None:
                        restoring.cancel()  # it may still wait for the database, and nobody for it


@contextlib.contextmanager
def kept(storage: Storage, *, limit_s: float) -> Iterator[Storage]:
    """Have rows kept as long as the context lasts; closing may take *limit_s*, and nothing else runs any more then."""
    storage.start()
    try:
        yield storage
    finally:
        storage.close(limit_s)


@contextlib.contextmanager
def watched(settings: Settings, registry: Registry, scans: Scans) -> Iterator[None]:
    """Have changes in the folders of models noticed as long as the context lasts, if the settings say so."""
    if not settings.registry.watch:
        yield
        return
    from uml_core.server.watching import Watching

    with Watching(lambda: registry.folders, scans):
        yield


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
