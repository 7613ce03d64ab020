import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

ENGINE = "scripted_engine.py"
TOKEN = "canary-3f9a-secret"
PATIENCE_S = 20.0


class RunningWorker:
    """A worker without a supervisor: the launch file and the socket are made here."""

    def __init__(self, folder, *, options, inherit=True, launched=True, port=0, engine=ENGINE):
        self.folder = folder
        self.log_path = folder / "worker.log"
        listener = socket.socket()
        if port == 0:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        self.port = port or listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if not inherit:
            listener.close()
        launch_file = folder / "launch.json"
        launch_file.write_text(json.dumps(self._launch(options, listener.fileno() if inherit else None)))
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name(engine))],
                env={**os.environ, "UML_LAUNCH_FILE": str(launch_file if launched else folder / "none")},
                pass_fds=(listener.fileno(),) if inherit else (),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        listener.close()
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_S)
        self.openai = OpenAI(base_url=f"{self.url}/v1", api_key=TOKEN, max_retries=0, timeout=PATIENCE_S)

    def _launch(self, options, fd):
        model = {
            "path": "/models/tiny.gguf",
            "format": "gguf",
            "files": ["/models/tiny.gguf"],
            "name": None,
            "architecture": "llama",
            "context_length": 2048,
        }
        plan = {
            "model_id": "org/tiny",
            "backend": "scripted",
            "tasks": ["text-generation"],
            "context_length": 2048,
            "parallel": 1,
            "threads": 1,
            "options": options,
            "settings": {},
            "model": model,
        }
        return {
            "generation": 1,
            "launch_id": "test",
            "host": "127.0.0.1",
            "port": self.port,
            "fd": fd,
            "token": TOKEN,
            "plan": plan,
        }

    @property
    def log(self):
        return self.log_path.read_text()

    def health(self):
        return self.http.get("/health")

    def wait_ready(self):
        self.until(lambda: self.answers() and self.health().status_code == 200)
        return self

    def answers(self):
        with contextlib.suppress(httpx.ConnectError):
            self.health()
            return True
        return False

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain; the log:\n{self.log}"
            time.sleep(0.005)

    def body(self, order, **more):
        return {"model": "org/tiny", "messages": [{"role": "user", "content": order}], **more}

    def post(self, order, **more):
        return self.http.post("/v1/chat/completions", json=self.body(order, **more))

    @contextlib.contextmanager
    def streaming(self, order, **more):
        with self.http.stream("POST", "/v1/chat/completions", json=self.body(order, stream=True, **more)) as response:
            yield response

    @contextlib.contextmanager
    def leaving(self, order):
        """Ask without a stream, and hang up at the end of the block."""
        body = json.dumps(self.body(order)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            yield

    def ask(self, order, **more):
        return self.openai.chat.completions.create(**self.body(order, **more))

    def ends(self):
        return self.process.wait(PATIENCE_S)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.ends()

    def close(self):
        self.http.close()
        self.openai.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start(tmp_path):
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def start(*, inherit=True, launched=True, port=0, engine=ENGINE, **options):
            folder = tmp_path / f"worker-{next(numbers)}"
            folder.mkdir()
            worker = RunningWorker(
                folder, options=options, inherit=inherit, launched=launched, port=port, engine=engine
            )
            stack.callback(worker.close)
            return worker

        yield start


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """A ready worker for the tests of one module, which leave it as they find it."""
    worker = RunningWorker(tmp_path_factory.mktemp("worker"), options={})
    with contextlib.closing(worker):
        yield worker.wait_ready()
