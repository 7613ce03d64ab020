"""The fake worker does what its script says: each fault is seen from outside the process."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from uml_core.supervisor.process import kill_marked, marked
from uml_core.testing import FakeBackend, read_fake_model, write_fake_model
from uml_core.types import Launch, Plan

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"


class Process:
    """One fake worker, started as the supervisor starts one, without a guard."""

    def __init__(self, folder, **script):
        self.opened = contextlib.ExitStack()
        model = read_fake_model(write_fake_model(folder / "a.fake", **script))
        plan = Plan(model_id="a", model=model, backend="fake", tasks=("text-generation",), context_length=64)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            self.launch = Launch(
                generation=1, launch_id=os.urandom(8).hex(), host="127.0.0.1", port=self.port, token="t", run_dir=folder
            )
            self.command = FakeBackend().uml_launch_worker(plan, self.launch)
            inherited = (listener.fileno(),) if self.command.accepts == "fd" else ()
            self.write_launch_file(plan, *inherited)
            self.log = (folder / "log").open("w+b")
            self.started_s = time.monotonic()
            self.process = subprocess.Popen(
                self.command.argv,
                env={"UML_LAUNCH_ID": self.launch.launch_id, "UML_LAUNCH_FILE": str(self.launch.launch_file)},
                pass_fds=inherited,
                stdout=self.log,
                stderr=self.log,
            )

    def write_launch_file(self, plan, fd=None):
        said = {"model_id": "a", "options": {}, "context_length": 64, "model": {"path": str(plan.model.path)}}
        facts = {"host": "127.0.0.1", "port": self.port, "fd": fd, "token": "t", "plan": said}
        self.launch.launch_file.write_text(json.dumps(facts))

    def ask(self, path, body=None, *, token="t", timeout_s=5.0):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        self.opened.callback(connection.close)
        data = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, data, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        self.opened.callback(answer.close)
        return answer

    def text(self, path, body):
        return self.ask(path, body).read().decode()

    def ready(self):
        until(lambda: self.health()[0] == 200)
        return self

    def health(self, **rest):
        try:
            answer = self.ask("/health", **rest)
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, {}

    def lines(self):
        self.log.seek(0)
        return self.log.read().decode().splitlines()

    def end(self):
        self.process.kill()
        self.process.wait()
        kill_marked(self.launch.launch_id)
        self.log.close()
        self.opened.close()


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def descriptors(pid):
    """What a process has open: paths, and the kind of what has none. Empty while they change."""
    try:
        return {str(file.readlink()).partition(":")[0] for file in Path(f"/proc/{pid}/fd").iterdir()}
    except FileNotFoundError:
        return set()


@pytest.fixture
def start(tmp_path):
    started = []

    def start_one(**script):
        started.append(Process(tmp_path, **script))
        return started[-1]

    yield start_one
    for process in started:
        process.end()


@pytest.mark.parametrize("accepts", ["fd", "port"])
def test_answers_with_the_nonce(start, accepts):
    worker = start(accepts=accepts).ready()
    answer = json.loads(worker.text(CHAT, {"messages": [{"role": "user", "content": "say nonce=xyz"}]}))
    assert answer["choices"][0]["message"]["content"].split()[0] == "xyz"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 8, "total_tokens": 10}


def test_activity_rises_with_each_token(start):
    worker = start(tokens=5).ready()
    before = worker.health()[1]["activity"]
    worker.text(COMPLETION, {"prompt": "x"})
    assert worker.health()[1]["activity"] == before + 5


def test_load_s_has_progress(start):
    worker = start(load_s=0.4, log_progress=True)
    until(lambda: worker.health()[1].get("progress", 0) > 0)
    assert worker.health()[0] == 503
    worker.ready()
    parts = [worker.command.progress(line) for line in worker.lines()]
    assert sorted(part for part in parts if part is not None) == [part for part in parts if part is not None] != []


@pytest.mark.parametrize(
    ("script", "code"), [({"load_exit": 7}, 7), ({"load_signal": 11, "load_fault_after_s": 0.1}, -11)]
)
def test_ends_while_loading(start, script, code):
    assert start(**script).process.wait(5) == code


def test_a_bad_file_is_exit_code_3(start, tmp_path):
    worker = start(load_s=60)
    (tmp_path / "a.fake").write_bytes(b"something else")
    again = subprocess.run(
        worker.command.argv, env={"UML_LAUNCH_FILE": str(worker.launch.launch_file)}, capture_output=True, check=False
    )
    assert again.returncode == 3
    assert b"can't read" in again.stderr


@pytest.mark.parametrize("when", ["before", "after"])
def test_holding_the_gil_answers_nobody_and_heeds_no_term(start, when):
    worker = start(hold_gil=when, hold_gil_s=0.7)
    until(lambda: worker.health(timeout_s=0.2) == (0, {}))  # a first one may come just before it is held
    worker.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(0.1)
    assert worker.process.wait(5) == 0


def test_never_ready(start):
    worker = start(never_ready=True)
    until(lambda: worker.health()[0] == 503)
    worker.process.terminate()
    assert worker.process.wait(5) == 0


def test_never_listens(start):
    worker = start(never_listens=True, accepts="port")
    until(lambda: "ready" in worker.lines())
    assert worker.health() == (0, {})


@pytest.mark.parametrize(("rule", "right", "other"), [("right", 200, 401), ("wrong", 401, 401), ("any", 200, 200)])
def test_token(start, rule, right, other):
    worker = start(token=rule)
    until(lambda: "ready" in worker.lines())
    assert worker.ask("/health").status == right
    assert worker.ask("/health", token="other").status == other


def test_ignore_term(start):
    worker = start(ignore_term=True).ready()
    worker.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(0.3)


@pytest.mark.parametrize("kind", ["closed", "holding"])
def test_grandchild(start, kind):
    worker = start(grandchild=kind).ready()
    until(lambda: any(line.startswith("grandchild") for line in worker.lines()))
    pid = int(next(line for line in worker.lines() if line.startswith("grandchild")).split()[1])
    until(lambda: "time.sleep" in " ".join(psutil.Process(pid).cmdline()))
    assert os.getsid(pid) not in {os.getsid(0), os.getsid(worker.process.pid), pid}
    until(lambda: descriptors(pid) == {os.devnull} if kind == "closed" else "socket" in descriptors(pid))
    worker.process.terminate()
    worker.process.wait(5)
    assert [survivor.pid for survivor in marked(worker.launch.launch_id)] == [pid]


def test_memory_log_and_flood(start):
    worker = start(allocate_bytes=50_000_000, log=["one", "two"], flood_bytes=300_000).ready()
    assert psutil.Process(worker.process.pid).memory_info().rss > 50_000_000
    assert worker.lines()[:2] == ["one", "two"]
    assert sum(len(line) for line in worker.lines()) > 290_000


@pytest.mark.parametrize(("fault", "code"), [("crash", -signal.SIGABRT), ("half_frame", -signal.SIGKILL)])
def test_crash_in_a_stream(start, fault, code):
    worker = start(stream_fault=fault, stream_fault_after=2, stream_signal=6).ready()
    with pytest.raises(http.client.IncompleteRead) as caught:
        worker.text(COMPLETION, {"prompt": "x", "stream": True})
    frames = caught.value.partial.split(b"\n\n")
    assert len(frames) == 3
    assert (frames[-1] == b"") == (fault == "crash")
    assert worker.process.wait(5) == code


@pytest.mark.parametrize(("fault", "last"), [("error", '"error"'), ("garbage", "not JSON"), ("close", "word1")])
def test_end_of_a_stream_without_done(start, fault, last):
    worker = start(stream_fault=fault, stream_fault_after=2, chunked=False).ready()
    text = worker.text(COMPLETION, {"prompt": "x", "stream": True})
    assert last in text.strip().split("\n\n")[-1]
    assert "[DONE]" not in text
    assert worker.health()[0] == 200


def test_hang_leaves_the_http_thread_alive(start):
    worker = start(stream_fault="hang").ready()
    stream = worker.ask(COMPLETION, {"prompt": "x", "stream": True}, timeout_s=0.3)
    with pytest.raises(TimeoutError):
        stream.read()
    assert worker.health()[0] == 200


def test_freeze_stops_the_process(start):
    worker = start(stream_fault="freeze").ready()
    worker.ask(COMPLETION, {"prompt": "x", "stream": True})
    until(lambda: psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED)


def test_crash_idle(start):
    assert start(crash_idle_after_s=0.1).process.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("deaf", [False, True])
def test_a_client_that_leaves_cancels_unless_the_worker_is_deaf(start, deaf):
    worker = start(tokens=60, token_s=0.01, deaf=deaf).ready()
    stream = worker.ask(COMPLETION, {"prompt": "x", "stream": True})
    stream.read1()
    stream.close()
    if deaf:
        until(lambda: worker.health()[1]["activity"] == 60)
    else:
        until(lambda: any(line.startswith("cancelled after") for line in worker.lines()))
        assert worker.health()[1]["activity"] < 60


def test_term_cancels_a_running_answer(start):
    worker = start(tokens=1000, token_s=0.01, stop_s=0.1).ready()
    stream = worker.ask(COMPLETION, {"prompt": "x", "stream": True})
    stream.read1()
    worker.process.terminate()
    with pytest.raises(http.client.IncompleteRead):
        stream.read()
    assert worker.process.wait(5) == 0


def test_foreign_errors(start):
    error = json.loads(start(foreign_errors=True).ready().text(COMPLETION, {"prompt": "x " * 65}))["error"]
    assert (error["type"], error["code"]) == ("exceed_context_size_error", 400)


def test_text_is_streamed_a_character_a_token(start):
    worker = start(text="né🙂").ready()
    text = worker.text(COMPLETION, {"prompt": "x", "stream": True})
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in text.strip().split("\n\n")[:-1]]
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["n", "é", "🙂", ""]
