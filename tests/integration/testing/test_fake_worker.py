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

from uml_core.testing import FakeBackend, read_fake_model, write_fake_model
from uml_core.types import Launch, Plan

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"


class Process:
    """One fake worker, started as the supervisor starts one, without a guard."""

    def __init__(self, folder, **script):
        self.opened = contextlib.ExitStack()
        temporary = folder / "temporary"
        temporary.mkdir(exist_ok=True)
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
                env={
                    "UML_LAUNCH_ID": self.launch.launch_id,
                    "UML_LAUNCH_FILE": str(self.launch.launch_file),
                    "TMPDIR": str(temporary),
                },
                pass_fds=inherited,
                cwd=folder,
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
        for survivor in marked(self.launch.launch_id):
            survivor.kill()
        self.log.close()
        self.opened.close()


def marked(launch_id):
    """Every process of that launch, by the environment that it can't shed."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("UML_LAUNCH_ID") == launch_id:
                found.append(process)
    return found


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def descriptors(pid):
    """What a process has open: paths, and the kind of what has none. Empty while they change."""
    try:
        return [str(file.readlink()).partition(":")[0] for file in Path(f"/proc/{pid}/fd").iterdir()]
    except FileNotFoundError:
        return []


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
    worker = start(hold_gil=when, hold_gil_s=2.5)
    until(lambda: "holding the GIL" in worker.lines())  # before, TERM meets a Python that is still starting
    assert worker.health(timeout_s=0.2) == (0, {})
    worker.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(0.1)
    assert worker.process.wait(15) == 0


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
    until(lambda: set(descriptors(pid)) == {os.devnull} if kind == "closed" else "socket" in descriptors(pid))
    worker.process.terminate()
    worker.process.wait(5)
    assert [survivor.pid for survivor in marked(worker.launch.launch_id)] == [pid]


def test_a_long_prompt_takes_memory_once_and_a_short_one_none(start):
    worker = start(prompt_bytes=50_000_000).ready()
    held = psutil.Process(worker.process.pid).memory_info
    overhead, before = worker.health()[1]["overhead_bytes"], held().rss
    assert 1_000_000 < overhead < before
    worker.text(COMPLETION, {"prompt": "Hi"})
    assert held().rss < before + 10_000_000
    for _ in range(3):
        worker.text(COMPLETION, {"prompt": "a prompt of several words"})
        assert before + 45_000_000 < held().rss < before + 60_000_000


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


# --- what a supervisor has to find out ------------------------------------------------------------------------------


PROBE = {"prompt": "1", "max_tokens": 1, "temperature": 0, "logprobs": 1}


def first_choice(answer):
    return json.loads(answer.read())["choices"][0]


def test_logprobs_of_a_text_completion(start):
    worker = start().ready()
    assert first_choice(worker.ask(COMPLETION, {**PROBE, "max_tokens": 2}))["logprobs"] == {
        "tokens": ["Hello", " word1"],
        "token_logprobs": [-0.25, -0.25],
        "top_logprobs": [{"Hello": -0.25}, {" word1": -0.25}],
        "text_offset": [0, 5],
    }
    assert "logprobs" not in first_choice(worker.ask(COMPLETION, {"prompt": "1"}))


def test_logprobs_of_a_chat(start):
    body = {"messages": [{"role": "user", "content": "x"}], "logprobs": True, "max_tokens": 1}
    worker = start(text="é").ready()
    said = {"token": "é", "logprob": -0.25, "bytes": [195, 169]}
    assert first_choice(worker.ask(CHAT, body))["logprobs"]["content"] == [{**said, "top_logprobs": []}]
    alternatives = first_choice(worker.ask(CHAT, {**body, "top_logprobs": 3}))["logprobs"]["content"][0]
    assert alternatives["top_logprobs"] == [said]


def test_logprobs_of_a_stream(start):
    frames = start(tokens=2).ready().text(COMPLETION, {**PROBE, "max_tokens": 2, "stream": True}).split("\n\n")
    choices = [json.loads(frame.removeprefix("data: "))["choices"][0] for frame in frames[:3]]
    assert [choice.get("logprobs", {}).get("tokens") for choice in choices] == [["Hello"], [" word1"], None]


@pytest.mark.parametrize(("fault", "logprob"), [("nan", "NaN"), ("null", "null")])
def test_a_probe_without_a_finite_logprob(start, fault, logprob):
    worker = start(probe_fault=fault, probe_fault_count=2).ready()
    assert f'"token_logprobs": [{logprob}]' in worker.text(COMPLETION, PROBE)
    assert f'"token_logprobs": [{logprob}]' in worker.text(COMPLETION, PROBE)
    assert '"token_logprobs": [-0.25]' in worker.text(COMPLETION, PROBE), "only the first answers"


def test_a_probe_without_a_token(start):
    worker = start(probe_fault="empty").ready()
    answer = json.loads(worker.text(COMPLETION, PROBE))
    assert (answer["choices"][0]["text"], answer["usage"]["completion_tokens"]) == ("", 0)
    assert json.loads(worker.text(COMPLETION, PROBE))["choices"][0]["text"] == "Hello"


def test_a_probe_that_is_refused(start):
    worker = start(probe_fault="error").ready()
    assert worker.ask(COMPLETION, PROBE).status == 500
    assert worker.ask(COMPLETION, PROBE).status == 200


def test_a_probe_that_kills(start):
    worker = start(probe_fault="crash", stream_signal=6).ready()
    with pytest.raises(OSError):
        worker.ask(COMPLETION, PROBE)
    assert worker.process.wait(5) == -signal.SIGABRT


def test_a_probe_that_hangs(start):
    worker = start(probe_fault="hang").ready()
    with pytest.raises(TimeoutError):
        worker.ask(COMPLETION, PROBE, timeout_s=0.2)
    assert worker.health()[0] == 200
    assert worker.ask(COMPLETION, PROBE).status == 200


@pytest.mark.parametrize("after", [0, 2])
def test_poison_kills_and_nothing_else_does(start, after):
    worker = start(poison="arsenic", poison_after=after).ready()
    assert worker.ask(COMPLETION, {"prompt": "water"}).status == 200
    with pytest.raises(http.client.IncompleteRead) as caught:
        worker.text(COMPLETION, {"prompt": "some arsenic", "stream": True})
    assert caught.value.partial.count(b"data: ") == after
    assert worker.process.wait(5) == -signal.SIGSEGV


def test_a_crash_after_so_many_answers(start):
    worker = start(crash_after_requests=2, stream_signal=7).ready()
    for _ in range(2):
        assert "Hello" in worker.text(COMPLETION, {"prompt": "x"}), "the last answer is whole"
    assert worker.process.wait(5) == -signal.SIGBUS


def test_only_the_first_starts_are_faulty(start, tmp_path):
    script = {"load_exit": 9, "crash_count_file": str(tmp_path / "starts"), "crash_first": 2}
    assert [start(**script).process.wait(5) for _ in range(2)] == [9, 9]
    worker = start(**script).ready()
    assert "Hello" in worker.text(COMPLETION, {"prompt": "x"})
    assert (tmp_path / "starts").read_bytes() == b"..."


def test_leaks_are_real(start):
    worker = start(leak_bytes=5_000_000, leak_fds=7).ready()
    process = psutil.Process(worker.process.pid)
    before_bytes, before_fds = process.memory_info().rss, descriptors(process.pid).count(os.devnull)
    for _ in range(4):
        worker.text(COMPLETION, {"prompt": "x"})
    until(lambda: descriptors(process.pid).count(os.devnull) == before_fds + 4 * 7)
    assert process.memory_info().rss - before_bytes > 19_000_000


@pytest.mark.parametrize(("kind", "answers"), [("deadlock", True), ("spin", True), ("gil", False), ("stop", False)])
def test_a_hung_engine_stands_still_whatever_health_says(start, kind, answers):
    worker = start(busy_hang=kind, busy_hang_after=2).ready()
    stream = worker.ask(COMPLETION, {"prompt": "x", "stream": True}, timeout_s=0.3)
    with pytest.raises(TimeoutError):
        stream.read()
    spent = sum(psutil.Process(worker.process.pid).cpu_times()[:2])
    status, health = worker.health(timeout_s=5.0 if answers else 0.3)
    assert (status == 200) == answers
    if answers:
        with pytest.raises(TimeoutError):
            worker.ask(COMPLETION, {"prompt": "x"}, timeout_s=0.3)
        assert health["activity"] == worker.health()[1]["activity"] == 2
        burnt = sum(psutil.Process(worker.process.pid).cpu_times()[:2]) - spent
        assert burnt > 0.1 if kind == "spin" else burnt < 0.1


@pytest.mark.parametrize("kind", ["deadlock", "gil", "stop"])
def test_abort_makes_a_hung_worker_tell_where(start, kind):
    worker = start(busy_hang=kind, busy_hang_after=0).ready()
    with pytest.raises(TimeoutError):
        worker.ask(COMPLETION, {"prompt": "x"}, timeout_s=0.2)
    worker.process.send_signal(signal.SIGABRT)
    worker.process.send_signal(signal.SIGCONT)  # a stopped process takes no other signal before this one
    assert worker.process.wait(5) == -signal.SIGABRT
    dump = "\n".join(worker.lines())
    assert "Fatal Python error: Aborted" in dump
    assert "fake_worker/completion.py" in dump, "the thread that answers is in it, not only the main thread"


def test_an_idle_worker_stops_itself(start):
    worker = start(idle_hang_after_s=0.1).ready()
    until(lambda: psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED)


def test_a_busy_worker_does_not_stop_itself_as_an_idle_one(start):
    worker = start(idle_hang_after_s=0.1, tokens=30, token_s=0.01).ready()
    assert "word29" in worker.text(COMPLETION, {"prompt": "x"})
    until(lambda: psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED)


@pytest.mark.parametrize("moves", [False, True])
def test_a_slow_prefill_burns_cpu_until_the_client_leaves(start, moves):
    worker = start(slow_prefill_s=60, prefill_activity=moves).ready()
    assert worker.ask(COMPLETION, PROBE).status == 200, "a prompt of one word has no prefill to speak of"
    before, health = sum(psutil.Process(worker.process.pid).cpu_times()[:2]), worker.health()[1]
    stream = worker.ask(COMPLETION, {"prompt": "a long story", "stream": True})
    until(lambda: sum(psutil.Process(worker.process.pid).cpu_times()[:2]) > before + 0.1)
    assert (worker.health()[1]["activity"] > health["activity"]) == moves
    stream.close()
    until(lambda: "cancelled after 0 tokens" in worker.lines())


def test_a_slow_prefill_ends_in_an_answer(start):
    worker = start(slow_prefill_s=0.1).ready()
    before = time.monotonic()
    assert "[DONE]" in worker.text(COMPLETION, {"prompt": "a long story", "stream": True})
    assert time.monotonic() - before >= 0.1


def test_files_that_a_run_leaves(start, tmp_path):
    worker = start(run_file=True).ready()
    left = [Path(line.split()[2]) for line in worker.lines() if line.startswith("run file")]
    assert [path.parent for path in left] == [tmp_path, tmp_path / "temporary"]


def test_device_memory_is_taken_or_refused_with_a_reason(start):
    worker = start(device_bytes=256 << 20)
    until(lambda: worker.process.poll() is not None or worker.health()[0] == 200)
    if worker.process.poll() == 4:
        assert "there is no CUDA driver here" in worker.lines()[0]
        pytest.skip(f"only the refusal was tested: {worker.lines()[0]}")
    assert "fake engine: took 268435456 bytes of the GPU" in worker.lines()
