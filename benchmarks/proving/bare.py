"""An engine run by its own command, without a gateway: how long its load and its exit take."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import psutil
from attrs import frozen

READY_PATHS = {"llamaserver": "/props", "llamacpp": "/health"}
LONGEST_S = 60.0
PAUSE_S = 0.005


@frozen(kw_only=True)
class Engine:
    """The command of an engine, its environment, and the launch file that it reads."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    launch: Mapping[str, Any]

    @classmethod
    def of(cls, process: psutil.Process) -> Engine:
        """Take them from an engine that runs."""
        environment = process.environ()
        launch = json.loads(Path(environment["UML_LAUNCH_FILE"]).read_text())
        return cls(argv=tuple(process.cmdline()), environment=environment, launch=launch)

    @property
    def ready_path(self) -> str:
        return READY_PATHS[self.launch["plan"]["backend"]]


@frozen
class Bare:
    """Seconds from its start until it was ready, and from TERM until it had ended."""

    load_s: float
    exit_s: float


def run_bare(engine: Engine) -> Bare:
    """Start it, wait until it is ready, end it."""
    with TemporaryDirectory(prefix="uml-bare-") as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        takes_socket = engine.launch["fd"] is not None
        port = listener.getsockname()[1]
        own = {"port": port, "fd": listener.fileno() if takes_socket else None, "launch_id": "0" * 16}
        file = Path(folder) / "launch.json"
        file.write_text(json.dumps({**engine.launch, **own}))
        (Path(folder) / "token").write_text(engine.launch["token"])
        passed = (listener.fileno(),) if takes_socket else ()
        if not takes_socket:
            listener.close()
        began_s = perf_counter()
        process = subprocess.Popen(
            engine.argv,
            env={**engine.environment, "UML_LAUNCH_FILE": str(file), "UML_LAUNCH_ID": "0" * 16},
            cwd=folder,
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_ready(process, port, engine, began_s + LONGEST_S)
            ready_s = perf_counter()
            process.terminate()
            process.wait(LONGEST_S)
        finally:
            process.kill()
            process.wait()
        return Bare(ready_s - began_s, perf_counter() - ready_s)


def _wait_ready(process: subprocess.Popen[bytes], port: int, engine: Engine, until_s: float) -> None:
    while not _answers(port, engine):
        if process.poll() is not None or perf_counter() > until_s:
            raise RuntimeError(f"the bare engine is not ready (code {process.poll()}): {engine.argv}")
        sleep(PAUSE_S)


def _answers(port: int, engine: Engine) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", engine.ready_path, headers={"Authorization": f"Bearer {engine.launch['token']}"})
        return connection.getresponse().status == 200
    connection.close()
    return False
