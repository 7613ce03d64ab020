"""The life of a fake worker: load, answer until TERM, end."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from .answering import answer
from .memory import Batch, Leak, own_bytes, take_device_memory
from .process import crash, flood, freeze, hold_gil, leave, leave_files, leave_grandchild, leave_no_core, say
from .script import read_script


class FakeWorker:
    """The state that the threads share: how far the load is, how much was done, whether it is to stop.

    ``engine`` is held for the moment of each token: who never gives it back has stopped the engine.
    """

    def __init__(self, launch: dict[str, Any]) -> None:
        self.launch = launch
        self.script = read_script(launch["plan"])
        self.stopping = threading.Event()
        self.ready = False
        self.progress: float | None = 0.0 if self.script.report_progress else None
        self.engine = threading.Lock()
        self.activity = 0
        self.requests = self.running = self.finished = 0
        self._counting = threading.Lock()
        self.overhead_bytes = own_bytes()
        self.batch = Batch(self.script.prompt_bytes)
        self._leak = Leak(bytes_each=self.script.leak_bytes, fds_each=self.script.leak_fds)

    def run(self) -> None:
        """Load, answer until TERM, and exit with 0."""
        faulthandler.enable()  # as every worker does: SIGABRT tells where it hangs
        leave_no_core()
        signal.signal(signal.SIGTERM, signal.SIG_IGN if self.script.ignore_term else self._on_term)
        say(*self.script.log)
        if self.script.run_file:
            leave_files()
        leave_grandchild(self.script.grandchild)
        self._hold_gil("before")
        if not self.script.never_listens:
            threading.Thread(target=self._accept, args=(listen(self.launch),), daemon=True).start()
        self._hold_gil("after")
        self._load()
        self._serve()

    def begin(self) -> int:
        """Count a request that is being answered; the number is its own."""
        with self._counting:
            self.requests += 1
            self.running += 1
            return self.requests

    def finish(self) -> None:
        """Count one that was answered to its end; lose and crash as scripted."""
        with self._counting:
            self._leak.grow()
            self.finished += 1
            if self.finished == self.script.crash_after_requests:
                crash(self.script.stream_signal)

    def end(self) -> None:
        """Count one that is no longer being answered, for whatever reason."""
        with self._counting:
            self.running -= 1

    def tick(self) -> None:
        """A sign of life of the engine."""
        with self.engine:
            self.activity += 1

    def _on_term(self, *_: object) -> None:
        self.stopping.set()
        say("TERM")

    def _hold_gil(self, when: str) -> None:
        if self.script.hold_gil == when:
            hold_gil(self.script.hold_gil_s)

    def _load(self) -> None:
        script = self.script
        flood(script.flood_bytes)
        self.weights = b"\1" * script.allocate_bytes
        take_device_memory(script.device_bytes)
        if script.load_exit is not None or script.load_signal is not None:
            self._work(script.load_fault_after_s)
            say("fake engine: the load failed as scripted")
            crash(script.load_signal) if script.load_exit is None else leave(script.load_exit)
        self._work(script.load_s)
        if script.never_ready:
            self.stopping.wait()
            leave(0)
        self.progress, self.ready = 1.0, True
        say("ready")

    def _work(self, seconds: float) -> None:
        started, said = time.monotonic(), -1
        while (elapsed := time.monotonic() - started) < seconds:
            part = elapsed / seconds
            self.activity += 1
            self.progress = part if self.script.report_progress else None
            if self.script.log_progress and int(part * 10) > said:
                said = int(part * 10)
                say(f"load progress {part:.2f}")
            if self.stopping.wait(min(0.02, seconds - elapsed)):
                leave(0)

    def _serve(self) -> None:
        """Wait for TERM, or for what the script says of idle workers."""
        if self.script.crash_idle_after_s is not None and not self.stopping.wait(self.script.crash_idle_after_s):
            crash(self.script.stream_signal)
        if self.script.idle_hang_after_s is not None and not self.stopping.wait(self.script.idle_hang_after_s):
            while self.running:
                time.sleep(0.01)
            freeze()
        self.stopping.wait()
        time.sleep(self.script.stop_s)
        leave(0)

    def _accept(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(self, connection), daemon=True).start()


def listen(launch: dict[str, Any]) -> socket.socket:
    """The inherited socket, or one bound to the port of the launch."""
    if launch["fd"] is not None:
        return socket.socket(fileno=launch["fd"])
    return socket.create_server((launch["host"], launch["port"]), backlog=128)


def main() -> None:
    """Read the launch file and run."""
    FakeWorker(json.loads(Path(os.environ["UML_LAUNCH_FILE"]).read_text("utf-8"))).run()
