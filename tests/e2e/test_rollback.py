"""Loads that fail, each in its own way, while the model before is in use: what becomes of it, and what is said."""

import json
import os
import shutil
import signal
import struct
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = pytest.mark.engine
COUNT = [{"role": "user", "content": "Count from 1 to 10."}]
STORY = [{"role": "user", "content": "Write a long story about a robot who learns to paint."}]
BACKENDS = ["llamaserver", "llamacpp"]
OPTIONS = {"context_length": 1024, "options": {"n_batch": 256}}


@pytest.fixture
def models(tmp_path, smollm2):
    """The real model, and copies of it with faults."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "whole.gguf").symlink_to(smollm2)
    shutil.copyfile(smollm2, folder / "cut.gguf")
    os.truncate(folder / "cut.gguf", 4 << 20)  # the header ends before that, the weights don't
    for name, key, offset, value in (
        ("unknown", b"general.architecture", 12, b"lamma"),  # behind the value's type and length
        ("short", b"llama.block_count", 4, struct.pack("<I", 31)),  # one more than there are tensors for
    ):
        shutil.copyfile(smollm2, folder / f"{name}.gguf")
        with (folder / f"{name}.gguf").open("r+b") as file:
            at = file.read(4 << 20).index(struct.pack("<Q", len(key)) + key) + 8 + len(key)
            file.seek(at + offset)
            file.write(value)
    return folder


def ask(gateway, model="whole"):
    answer = gateway.openai.chat.completions.create(model=model, messages=COUNT, temperature=0, max_tokens=12)
    return answer.choices[0].message.content


class Chat(threading.Thread):
    """A chat that streams while something else goes on."""

    def __init__(self, gateway, tokens=300):
        super().__init__()
        self.gateway = gateway
        self.tokens = tokens
        self.begun = threading.Event()
        self.lines = []

    def run(self):
        body = {"model": "whole", "messages": STORY, "max_tokens": self.tokens, "stream": True, "temperature": 0}
        with httpx.stream("POST", f"{self.gateway.url}/v1/chat/completions", json=body, timeout=60) as answer:
            for line in answer.iter_lines():
                self.lines.append(line)
                if len(self.lines) > 6:
                    self.begun.set()

    def __enter__(self):
        self.start()
        assert self.begun.wait(30)
        return self

    def __exit__(self, *_):
        self.join(60)

    @property
    def is_whole(self):
        return "data: [DONE]" in self.lines and not any('"error"' in line for line in self.lines)


def view(gateway, job_id):
    return httpx.get(f"{gateway.url}/jobs/{job_id}").json()


def submit(gateway, model, **rest):
    answer = httpx.post(f"{gateway.url}/load_model", json={"model": model, **rest}, timeout=60)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_cut_off_behind_its_header_while_a_chat_streams(gateway, backend):
    gateway.start().load("whole", backend=backend)
    pid = gateway.active()["pid"]
    with Chat(gateway) as chat:
        told = gateway.uml("load", "cut")
    assert chat.is_whole
    assert told.returncode == 4
    assert "error: " in told.stderr
    assert "'cut" in told.stderr
    assert "cut off" in told.stderr or "truncated" in told.stderr
    assert told.stderr.endswith("'whole' was not touched\n")
    assert ask(gateway).startswith("1.")
    assert gateway.active()["pid"] == pid


@pytest.mark.parametrize(
    ("backend", "fault", "words"),
    [
        ("llamaserver", "unknown", "lamma"),
        ("llamaserver", "short", "does not hold what the engine expects"),
        ("llamacpp", "unknown", "lamma"),
    ],
)
def test_a_file_that_only_the_engine_refuses(gateway, backend, fault, words):
    gateway.start().load("whole", backend=backend, **OPTIONS)
    before = gateway.active()
    with Chat(gateway, tokens=40) as chat:
        told = gateway.uml("load", fault, "--backend", backend)
    assert chat.is_whole, "who was served already is served to the end"
    assert told.returncode == 4
    assert words in told.stderr
    assert "rolled back: 'whole' is loaded again with the same options" in told.stderr
    after = gateway.active()
    same = ("model", "backend", "context_length", "parallel")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert (after["generation"], after["state"]) == (before["generation"] + 2, "ready")
    assert (
        "256" in psutil.Process(after["pid"]).environ().get("UML_LAUNCH_FILE", "") or launched(after)["n_batch"] == 256
    )
    assert ask(gateway).startswith("1.")
    job = httpx.get(f"{gateway.url}/jobs").json()["data"][0]
    assert (job["state"], job["rolled_back"], job["switched"]) == ("rolled_back", True, False)
    assert job["cause"]["code"] in {"unsupported_architecture", "invalid_model_file"}
    assert job["release"]["leftover_pids"] == []


def launched(active):
    """The options that a worker was really launched with."""
    file = Path(psutil.Process(active["pid"]).environ()["UML_LAUNCH_FILE"])
    return json.loads(file.read_text())["plan"]["options"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_waits_for_the_model_before_is_served(gateway, backend):
    gateway.start().load("whole", backend=backend)
    job_id = submit(gateway, "unknown", backend=backend)
    gateway.until(lambda: view(gateway, job_id)["state"] in {"evicting", "starting"})
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(ask(gateway))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(60)
    assert [answer[:2] for answer in answers] == ["1."] * 3
    assert view(gateway, job_id)["rolled_back"]
    assert httpx.get(f"{gateway.url}/queue").json()["length"] == 0


def said(gateway, model):
    """What the worker of *model* has written so far."""
    file = gateway.data / "logs" / "worker.log"
    lines = (json.loads(line) for line in file.read_text().splitlines() if line.endswith("}"))
    return [line["line"] for line in lines if line["model"] == model]


@pytest.mark.parametrize(("backend", "frozen"), [("llamaserver", False), ("llamaserver", True), ("llamacpp", True)])
def test_a_load_is_cancelled_inside_native_code(gateway, models, smollm2, backend, frozen):
    """xllamacpp's constructor holds the GIL for a whole load; stopped in it, it would hold it for ever."""
    (models / "next.gguf").symlink_to(smollm2)
    (gateway.data / "uml.toml").write_text("[models.next]\n")  # else it's only another name of the same model
    gateway.start().load("whole", backend=backend, **OPTIONS)
    job_id = submit(gateway, "next", backend=backend, context_length=8192)
    gateway.until(lambda: any("load_model: loading" in line or "loaded meta" in line for line in said(gateway, "next")))
    engine = psutil.Process(gateway.active()["pid"])
    if frozen:
        engine.send_signal(signal.SIGSTOP)
        assert not any("model loaded" in line or "graph nodes" in line for line in said(gateway, "next"))
    begin = time.monotonic()
    job = httpx.delete(f"{gateway.url}/jobs/{job_id}", timeout=60).json()
    assert time.monotonic() - begin < 15, "nobody waited for the engine, only for the model before"
    assert (job["state"], job["cause"]["code"], job["rolled_back"]) == ("cancelled", "cancelled", True)
    assert not engine.is_running()
    assert (gateway.active()["model"], gateway.active()["context_length"]) == ("whole", OPTIONS["context_length"])
    assert ask(gateway).startswith("1.")
