"""A server of this backend with a real model, started as the supervisor would start it."""

import contextlib
import json
import os
import socket
import subprocess
import time

import httpx
import openai
import pytest

from uml_core.inspection.gguf import read
from uml_core.types import Launch, Plan
from uml_llamaserver import plugin
from uml_llamaserver.options import Options, Settings

TOKEN = "canary-3f9a-secret"
PATIENCE_S = 60.0
CONTEXT = 512


class RunningServer:
    def __init__(self, folder, model, *, port=0, parallel=1, settings=None, task="text-generation", **options):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = port or free.getsockname()[1]
        launch = Launch(generation=1, launch_id="id", host="127.0.0.1", port=self.port, token=TOKEN, run_dir=folder)
        self.plan = plan = Plan(
            model_id="org/smol",
            model=model,
            backend="llamaserver",
            tasks=(task,),
            context_length=CONTEXT,
            parallel=parallel,
            options=Options(**options).model_dump(),
            settings=Settings(**(settings or {})).model_dump(mode="json"),
        )
        launch.token_file.write_text(TOKEN)
        said = {
            "model_id": plan.model_id,
            "context_length": CONTEXT,
            "parallel": parallel,
            "threads": 1,
            "tasks": [task],
        }
        said |= {"options": dict(plan.options), "model": {"path": str(model.path)}}
        content = {"host": launch.host, "port": self.port, "token": TOKEN, "plan": said}
        launch.launch_file.write_text(json.dumps(content))
        self.log_path = folder / "log"
        self.command = plugin.uml_launch_worker(plan=plan, launch=launch)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                self.command.argv,
                env={**os.environ, **self.command.env, "UML_LAUNCH_FILE": str(launch.launch_file)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_S
        )
        self.openai = openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key=TOKEN, max_retries=0, timeout=PATIENCE_S
        )

    @property
    def log(self):
        return self.log_path.read_text()

    def wait_ready(self):
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self

    def answers(self):
        with contextlib.suppress(httpx.TransportError):
            return self.http.get(self.command.ready_path).status_code == 200

    def ask(self, text, **more):
        messages = [{"role": "user", "content": text}]
        return self.openai.chat.completions.create(model="org/smol", messages=messages, **more)

    def close(self):
        self.http.close()
        self.openai.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def model(smollm2):
    return read(smollm2)


@pytest.fixture
def start(tmp_path, model):
    with contextlib.ExitStack() as stack:

        def start(source=model, **rest):
            server = RunningServer(tmp_path, source, **rest)
            stack.callback(server.close)
            return server

        yield start
