"""The two ways to run the server with a real model, without a supervisor: the package in a Python, and a program."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import attrs
import httpx
import openai
import pytest

from uml_core.inspection.gguf import read
from uml_core.types import Launch, Plan
from uml_llamaserver import plugin
from uml_llamaserver.options import Options, Settings

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.engine

TOKEN = "canary-3f9a-secret"
PATIENCE_S = 60.0
CONTEXT = 512


class RunningServer:
    def __init__(self, folder, model, *, port=0, parallel=1, settings=None, **options):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = port or free.getsockname()[1]
        launch = Launch(generation=1, launch_id="id", host="127.0.0.1", port=self.port, token=TOKEN, run_dir=folder)
        plan = Plan(
            model_id="org/smol",
            model=model,
            backend="llamaserver",
            tasks=("text-generation",),
            context_length=CONTEXT,
            parallel=parallel,
            options=Options(**options).model_dump(),
            settings=Settings(**(settings or {})).model_dump(mode="json"),
        )
        launch.token_file.write_text(TOKEN)
        said = {"model_id": plan.model_id, "context_length": CONTEXT, "parallel": parallel, "threads": 1}
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


@pytest.fixture(params=["package", "program"])
def settings(request, tmp_path):
    """Nothing, or a program in the place of llama-server."""
    if request.param == "package":
        return {}
    program = tmp_path / "llama-server"
    script = Path(__file__).with_name("llama_server.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    return {"binary": program}


def test_it_answers_behind_its_token(start, settings):
    server = start(settings=settings, parallel=2).wait_ready()
    answer = server.ask("What is the capital of France?", max_tokens=12, temperature=0)
    assert answer.choices[0].message.content.strip()
    assert answer.model == "org/smol"
    assert server.http.get("/props", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert server.http.get("/slots").status_code in {404, 501}
    assert server.http.get("/").status_code == 404
    props = server.http.get("/props").json()
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (2, CONTEXT)
    assert "canary" not in server.log


def test_a_too_long_prompt_has_a_type_that_the_plugin_maps(start, settings):
    server = start(settings=settings).wait_ready()
    with pytest.raises(openai.BadRequestError) as raised:
        server.ask("word " * 2 * CONTEXT)
    assert server.command.error_codes[raised.value.type] == "context_length_exceeded"


def test_options_reach_the_engine(start):
    server = start(
        cache_type_k="q8_0", cache_type_v="q8_0", flash_attn="on", load_mode="none", n_batch=64, n_ubatch=32,
        warmup=False, swa_full=True, rope_freq_base=1e5, split_mode="none", main_gpu=0, tensor_split=[1], cache_ram=16,
    ).wait_ready()  # fmt: skip
    assert server.ask("Hello", max_tokens=1).usage.completion_tokens == 1


def test_term_ends_it_with_0_also_while_it_answers(start):
    server = start().wait_ready()
    stream = server.ask("Count to one thousand.", stream=True)
    next(stream)
    server.process.terminate()
    assert server.process.wait(5) == 0
    stream.close()


def broken(model, path, content):
    path.write_bytes(content)
    return attrs.evolve(model, path=path)


def test_a_file_that_is_gone(start, model, tmp_path):
    server = start(attrs.evolve(model, path=tmp_path / "gone.gguf"))
    assert server.process.wait(PATIENCE_S) == 3
    assert server.log.splitlines()[-1] == f"'{tmp_path / 'gone.gguf'}' can't be read: No such file or directory"


def test_a_file_of_another_format(start, model, tmp_path):
    server = start(broken(model, tmp_path / "text.gguf", b"only text"))
    assert server.process.wait(PATIENCE_S) == 3
    assert server.log.splitlines()[-1] == f"'{tmp_path / 'text.gguf'}' is no GGUF file; fetch it again"


def test_a_file_that_the_engine_refuses(start, model, tmp_path):
    server = start(broken(model, tmp_path / "cut.gguf", model.path.read_bytes()[: 2**22]))
    assert server.process.wait(PATIENCE_S) == 1
    *said, last = server.log.splitlines()
    assert last.startswith(f"llama.cpp could not load '{tmp_path / 'cut.gguf'}'")
    assert any("not within the file bounds" in line for line in said)


def test_a_port_that_is_taken(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start(port=taken.getsockname()[1])
        assert server.process.wait(PATIENCE_S) == 1
    assert server.log.splitlines()[-1] == f"port {server.port} can't be listened on: Address already in use"
