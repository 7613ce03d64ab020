"""Each engine without UML: its own server where it has one, else a loop around it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from attrs import frozen
from gateway_process import request

from text.asking import TOKENS, Address, Together, together

LOOP = Path(__file__).with_name("bare_loop.py")
Ask = Callable[[int], Together]
QUIET = {"HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}


@frozen
class Rival:
    """What a backend is compared with: its name, and how to ask it for some streams at once."""

    name: str
    ask: Ask


@contextlib.contextmanager
def server(name: str, command: list[str], address: Address, ready: str) -> Iterator[Rival]:
    """A server of an engine's own, started with *command*, and ended."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=output, stderr=output)
        try:
            wait(process, address.port, ready, output)
            yield Rival(name, lambda count: together(address, count))
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def wait(process: subprocess.Popen[bytes], port: int, ready: str, output: IO[bytes], limit_s: float = 180) -> None:
    """Until the server answers at *ready*."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output.seek(0)
            raise SystemExit(f"{process.args} ended:\n{output.read().decode()[-3000:]}")
        with contextlib.suppress(OSError):
            if request(f"http://127.0.0.1:{port}", "GET", ready)[0] == 200:
                return
        time.sleep(0.05)
    raise SystemExit(f"{process.args} was not ready in {limit_s:.0f} s")


@contextlib.contextmanager
def loop(engine: str, model: Path) -> Iterator[Rival]:
    """A bare loop around an engine, which writes one answer after the other."""
    command = [sys.executable, str(LOOP), engine, str(model)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env={**os.environ, **QUIET}, stdin=pipe, stdout=pipe, text=True)
    assert process.stdin
    assert process.stdout

    def ask(count: int) -> Together:
        print(count, TOKENS, file=process.stdin, flush=True)
        return Together(**json.loads(line_of(process)))

    try:
        line_of(process)
        yield Rival(f"a loop around {engine}", ask)
    finally:
        process.stdin.close()
        process.wait(20)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args} ended with code {process.wait()}")
    return line


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def rival_of(backend: str, model: Path, worker: Address) -> Iterator[Rival]:
    """What *backend* is to be compared with; llama-server's own port is that of the gateway's *worker*."""
    port = free_port()
    python = sys.executable
    if backend == "llamaserver":
        yield Rival("llama-server's own port", lambda count: together(worker, count))
    elif backend == "llamacpp":
        command = [python, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port), "--n_ctx", "1024"]
        command += ["--verbose", "False", "--interrupt_requests", "False"]  # else a new answer ends the one before
        with server("llama_cpp.server", command, Address(port, "x"), "/v1/models") as rival:
            yield rival
    elif backend == "transformers":
        program = str(Path(python).with_name("transformers"))
        # without --continuous-batching: that is made for GPUs, and 4 streams of it are a third as fast here as one
        command = [program, "serve", str(model), "--port", str(port)]
        with server("transformers serve", command, Address(port, str(model)), "/health") as rival:
            yield rival
    else:
        with loop("onnxruntime", model) as rival:
            yield rival
