"""How a worker ends, and what its exit code and last line say."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest


def test_term_when_idle(start):
    worker = start().wait_ready()
    assert worker.terminate() == 0
    assert worker.log == "engine closed\n"


def test_term_while_loading(start, tmp_path):
    worker = start(gate=str(tmp_path / "never"))
    worker.until(worker.answers)
    assert worker.terminate() == 0


def test_term_cancels_what_runs_and_what_waits(start):
    worker = start().wait_ready()
    with ThreadPoolExecutor(1) as pool, worker.streaming("endless") as response:
        lines = response.iter_lines()
        assert next(lines).startswith("data: ")
        waiting = pool.submit(worker.post, "say hello")
        worker.until(lambda: worker.health().json()["queued"] == 1)
        worker.process.send_signal(signal.SIGTERM)
        events = [line for line in lines if line]
        assert waiting.result().status_code == 503
    assert worker.ends() == 0
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == "server_shutdown"
    assert worker.log.splitlines()[-1] == "engine closed"


def test_term_does_not_wait_for_an_engine_that_does_not_listen(start):
    worker = start().wait_ready()
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(worker.post, "sleep 60")
        worker.until(lambda: "begin sleep" in worker.log)
        assert worker.terminate() == 0
        assert stuck.result().status_code == 503


def test_ctrl_c_is_the_parents(start):
    worker = start().wait_ready()
    worker.process.send_signal(signal.SIGINT)
    assert worker.post("say hello").status_code == 200
    assert worker.terminate() == 0


@pytest.mark.parametrize(
    ("load", "code", "last"),
    [
        ("bad file", 3, "'/models/tiny.gguf' is truncated; fetch it again"),
        ("no engine", 4, "the engine can't be imported: No module named 'engine'"),
        (
            "no file",
            3,
            "the engine failed: FileNotFoundError: [Errno 2] No such file or directory: '/models/tiny.gguf'",
        ),
        (
            "no other file",
            1,
            "the engine failed: FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/cache'",
        ),
        ("no memory", 5, "there is not enough memory: MemoryError"),
        ("no memory for a map", 5, "there is not enough memory: OSError: [Errno 12] Cannot allocate memory"),
        (
            "no memory on the device",
            5,
            "there is not enough memory: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        ),
        ("crash", 1, "the engine failed: RuntimeError: out of something"),
        ("exit", 1, "the engine failed: SystemExit: 7"),
    ],
)
def test_a_load_that_fails_says_why_in_its_last_line(start, load, code, last):
    worker = start(load=load)
    assert worker.ends() == code
    *traceback, reason = worker.log.splitlines()
    assert reason == last
    assert traceback[0] == "Traceback (most recent call last):"


def test_an_engine_that_exits_takes_the_worker_with_it(start):
    worker = start().wait_ready()
    with pytest.raises(httpx.RemoteProtocolError):
        worker.post("leave")
    assert worker.ends() == 1
    assert worker.log.splitlines()[-1] == "the engine failed: SystemExit: the engine called exit"


def test_without_a_launch_file_it_says_who_starts_it(start):
    worker = start(launched=False)
    assert worker.ends() == 2
    assert worker.log.startswith("a worker is started by UML, with a launch file and a free port: FileNotFoundError")


def test_a_taken_port_is_said(start):
    first = start().wait_ready()
    second = start(inherit=False, port=first.port)
    assert second.ends() == 2
    assert "Address already in use" in second.log
