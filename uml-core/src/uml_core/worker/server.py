"""The HTTP server of a worker: uvicorn on one given socket, which sleeps while nobody asks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from uml_core.worker.app import App
from uml_core.worker.engine import EngineThread
from uml_core.worker.launch import LaunchFile


def run(engine: EngineThread, launch: LaunchFile, listener: socket.socket) -> None:
    """Answer on *listener* until SIGTERM; then refuse, cancel what runs, and return once it is told."""
    app = App(engine, launch.plan, launch.token)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_Server(config, engine).serve(sockets=[listener]))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, engine: EngineThread) -> None:
        super().__init__(config)
        self._engine = engine

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # uvicorn's own would end the process by the signal, not with 0
        yield

    async def main_loop(self) -> None:  # uvicorn's own looks ten times a second whether it should end
        terminated = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
        await terminated.wait()
        self._engine.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
