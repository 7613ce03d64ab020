"""SIGTERM: the process is gone within a time that adds up, whatever is stuck."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import httpx
import psutil
import pytest

from uml_core.server.ending import Ending
from uml_core.settings import SupervisorSettings
from uml_core.testing import write_fake_model

SERVE = """
import json, sys
from pathlib import Path
from uml_core import API_VERSION, hookimpl, plugins
from uml_core.server import compose
from uml_core.server.ending import Ending
from uml_core.server.run import run
from uml_core.settings import Settings
from uml_core.tasks import plugin as tasks
from uml_core.testing import FakeBackend, FakeStore

folder = Path(sys.argv[1])

compose.plugins_of = lambda settings: plugins.load(
    builtins={"tasks": tasks, "fake": FakeBackend(stop_grace_s=0.3), "fakes": FakeStore(folder)}, entry_points=()
)
settings = Settings(data_dir=folder / "data", server={"port": 0})
before = sys.argv[3] if len(sys.argv) > 3 else ""
exec(before)
run(
    settings,
    on_ready=lambda gateway: print(gateway.url, flush=True),
    ending=Ending(**json.loads(sys.argv[2])),
)
print("over", flush=True)
"""
SHORT = {
    "drain_s": 0.5,
    "last_words_s": 0.3,
    "abort_s": 0.3,
    "connections_s": 0.3,
    "worker_s": 6.0,
    "storage_s": 1.0,
}


class Served:
    """A gateway process with a fake model."""

    def __init__(self, folder, process, url, stack):
        self.stack = stack
        self.folder = folder
        self.process = process
        self.url = url

    def load(self, **script):
        write_fake_model(self.folder / "a.fake", **script)
        answer = httpx.post(f"{self.url}/load_model", json={"model": "a", "wait": True}, timeout=60)
        assert answer.status_code == 200, answer.text
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def connect(self, path="/v1/completions", **body):
        """Ask for something, and read nothing."""
        url = httpx.URL(self.url)
        connection = self.stack.enter_context(socket.create_connection((url.host, url.port)))
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return connection

    def leases(self):
        return httpx.get(f"{self.url}/active_model").json()["leases"]

    def end(self, number=signal.SIGTERM):
        """Seconds from the signal to the end of the process, and what it said."""
        begin = time.monotonic()
        self.process.send_signal(number)
        out, log = self.process.communicate(timeout=60)
        return time.monotonic() - begin, out, log

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "uml.db")) as database:
            return database.execute("SELECT status, code FROM requests ORDER BY started").fetchall()


@pytest.fixture
def serve(tmp_path):
    """Start a gateway process; killed at the end if it is still there."""
    with contextlib.ExitStack() as stack:

        def start(limits=SHORT, *, before=""):
            environment = {**os.environ, "UML_CONFIG": str(tmp_path / "none.toml")}
            command = [sys.executable, "-c", SERVE, str(tmp_path), json.dumps(limits), before]
            process = stack.enter_context(
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return Served(tmp_path, process, process.stdout.readline().strip(), stack)

        yield start


def until(condition, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def all_gone(processes):
    return not psutil.wait_procs(processes, timeout=2)[1]


def test_the_usual_limits_add_up_to_less_than_45_s():
    assert Ending().total_s <= 44.5
    assert Ending.of(SupervisorSettings()).total_s <= 44.5
    assert Ending.of(SupervisorSettings(drain_timeout_s=600)).total_s <= 44.5
    assert Ending.of(SupervisorSettings(drain_timeout_s=1)).drain_s == 1


def test_with_nothing_to_do_it_takes_no_time(serve):
    served = serve()
    processes = served.load()
    seconds, out, _ = served.end()
    assert (served.process.returncode, out) == (0, "over\n")
    assert seconds < 3
    assert all_gone(processes)


def test_a_stream_ends_with_an_error_frame(serve):
    served = serve()
    served.load(tokens=10_000, token_s=0.01)
    pieces = []

    def read():
        body = {"prompt": "a", "stream": True}
        with httpx.stream("POST", f"{served.url}/v1/completions", json=body, timeout=60) as answer:
            pieces.extend(answer.iter_raw())

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: pieces)
    seconds, _, _ = served.end()
    reader.join()
    frames = b"".join(pieces).rstrip(b"\n").split(b"\n\n")
    assert json.loads(frames[-1].removeprefix(b"data: "))["error"]["code"] == "server_shutdown"
    assert 0.5 < seconds < 4
    assert served.process.returncode == 0
    assert served.rows() == [("error", "server_shutdown")]


def test_a_client_that_takes_nothing_and_a_hung_worker_and_a_listener(serve):
    """All at once, and a worker that ignores TERM."""
    served = serve()
    processes = served.load(
        tokens=100_000, text="x" * 100_000, busy_hang="deadlock", busy_hang_after=50, ignore_term=True
    )
    stuck = [served.connect(prompt="a", stream=True, max_tokens=100_000) for _ in range(3)]
    stuck.append(served.connect("/load_model", model="a", wait=True, options={"load_s": 100}))
    until(lambda: served.leases() == 3)
    with httpx.stream("GET", f"{served.url}/events", timeout=60) as events:
        seconds, out, _ = served.end()
        events.read()  # it would raise if the stream had been cut
    assert (served.process.returncode, out) == (0, "over\n")
    assert seconds < Ending(**SHORT).total_s
    assert all_gone(processes)


def test_a_database_that_is_stuck(serve):
    """The disk is as good as full: nothing is written, and the end is not kept waiting."""
    served = serve(before="import uml_core.storage.writer as w, time; w.Writer._turn = lambda self: time.sleep(3600)")
    processes = served.load()
    httpx.post(f"{served.url}/v1/completions", json={"prompt": "a"}).raise_for_status()
    seconds, out, _ = served.end()
    assert (served.process.returncode, out) == (0, "over\n")
    assert 1 <= seconds < 5
    assert all_gone(processes)


@pytest.mark.parametrize(
    "stuck",
    [
        pytest.param(
            "import asyncio, time; asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)",
            id="a thread",
            marks=pytest.mark.proof,
        ),
        pytest.param("import time; time.sleep(3600)", id="the loop"),
    ],
)
def test_what_nobody_foresaw_ends_with_the_sum(serve, stuck):
    """Something hangs that no limit is for: the process says where, and ends with everything that belongs to it."""
    limits = {**SHORT, "worker_s": 1.0, "drain_s": 0.1}
    before = f"""
from uml_core.supervisor import Supervisor
leave = Supervisor.__aexit__
async def hang(self, *rest):
    {stuck}
    await leave(self, *rest)
Supervisor.__aexit__ = hang
"""
    served = serve(limits, before=before)
    processes = served.load()
    seconds, out, log = served.end()
    assert (served.process.returncode != 0, out) == (True, "")
    assert Ending(**limits).total_s - 0.2 < seconds < Ending(**limits).total_s + 2
    assert "Timeout" in log
    assert "most recent call first" in log
    assert all_gone(processes)
