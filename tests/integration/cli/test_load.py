"""Loads as jobs, with the real gateway: followed, left, cancelled, failed, and what is said of each."""

import json
import re
import shutil
import signal
import threading
import urllib.request

import pytest


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


@pytest.fixture
def gateway(machine):
    """A gateway with models that load well, long, and not at all."""
    machine.model("tiny")
    machine.model("slow", load_s=30)
    machine.model("broken", load_exit=1, log=["engine: reading", "engine: tensor 3 is nonsense"])
    (machine.folder / "data" / "models" / "cut.gguf").write_bytes(b"GGUF\3\0\0\0")
    return machine.serve()


def read_until(stream, text):
    """Read lines until one has *text*; those before it."""
    before = []
    while text not in (line := stream.readline()):
        assert line, f"{text!r} did not come; there was {before}"
        before.append(line)
    return before


def jobs(machine):
    return json.loads(machine.uml("jobs", "--json").stdout)


def test_a_switch_says_what_it_did_and_how_that_is_known(machine, gateway):
    machine.model("other", load_s=0.6, allocate_bytes=10_000_000)
    assert machine.uml("jobs").stderr == "nothing was loaded or unloaded yet; `uml load MODEL` does\n"
    first = machine.uml("load", "other", "--ctx", "256").stderr.splitlines()
    assert re.fullmatch(r"loaded other with fake in \d\.\d s; context 256 tokens", first[-1])
    assert "loading other" in first
    switched = machine.uml("load", "tiny").stderr.splitlines()
    assert re.search(r"; before: other \(freed \d+ MB, proven in 0\.\d\d s\)$", switched[-1])
    assert "was loaded already, with fake" in machine.uml("load", "tiny").stderr
    unloaded = machine.uml("unload").stderr.splitlines()[-1]
    size = r"\d+\.?\d* MB"
    assert re.fullmatch(
        rf"unloaded tiny: freed {size} of {size} \(private\), nothing left, proven in 0\.\d\d s", unloaded
    )
    assert machine.uml("unload").stderr.splitlines()[-1] == "no model was loaded"
    table = machine.uml("jobs", "-n", "2").stdout.splitlines()
    assert table[0].split() == ["ID", "KIND", "MODEL", "STATE", "AGE", "TIME", "RESULT"]
    assert [line.split()[1:4] for line in table[2:]] == [["unload", "tiny", "committed"]]


def test_a_load_that_fails_says_why_and_what_became_of_the_model_before(machine, gateway):
    alone = machine.uml("load", "broken")
    assert alone.returncode == 4
    assert "not touched" not in alone.stderr
    count = machine.folder / "count"
    count.mkdir()
    machine.model("tiny", crash_count_file=str(count / "file"))
    machine.uml("load", "tiny")
    failed = machine.uml("load", "broken", "--json")
    assert (failed.returncode, json.loads(failed.stdout)["state"]) == (4, "rolled_back")
    *_, last, after = failed.stderr.splitlines()
    assert "error: 'broken' could not be loaded: " in failed.stderr
    assert "\n  engine: tensor 3 is nonsense\n" in failed.stderr
    assert last == "  fake engine: the load failed as scripted"
    assert re.fullmatch(
        r"rolled back: 'tiny' is loaded again with the same options \(\d\.\d s\), nothing was lost", after
    )
    cut = machine.uml("load", "cut")
    assert cut.returncode == 4
    assert cut.stderr.endswith("'tiny' was not touched\n")
    shutil.rmtree(count)  # from now on it can't be loaded either
    both = machine.uml("load", "broken")
    assert both.returncode == 4
    assert re.search(r"\nand 'tiny' could not be brought back either: .*; no model is loaded now\n$", both.stderr)


def test_ctrl_c_leaves_the_load_running_and_cancel_ends_it(machine, gateway):
    machine.uml("load", "tiny")
    terminal = machine.terminal("load", "slow")
    terminal.expect("loading slow")
    terminal.expect("by the worker")
    terminal.type("\x03")
    terminal.expect("the load of 'slow' goes on; ")
    terminal.expect("`uml cancel job_")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
    job = jobs(machine)[0]
    assert (job["model"], job["finished"]) == ("slow", None)
    shown = machine.uml("ps")
    assert shown.stdout.split()[:5] == ["MODEL", "BACKEND", "STATE", "HEALTH", "PORT"]
    assert f"{job['id']} is running: loading slow" in shown.stderr
    watcher = machine.start("load", "slow")
    read_until(watcher.stderr, b"loading slow")
    cancelled = machine.uml("cancel").stderr.splitlines()[-1]
    assert cancelled.startswith("cancelled the load of 'slow'; rolled back: 'tiny' is loaded again")
    assert watcher.wait(30) == 1
    assert b"error: the load of 'slow' was cancelled" in watcher.stderr.read()
    assert machine.uml("cancel").returncode == 3
    assert machine.uml("cancel", job["id"]).returncode == 5


def test_nobody_need_wait_and_the_events_tell_it(machine, gateway):
    events = machine.start("events", "--json")
    lines = machine.start("events")
    machine.uml("ps")  # by now they listen
    begun = machine.uml("load", "tiny", "--no-wait")
    job_id = begun.stdout.strip()
    assert re.fullmatch(r"job_\w+", job_id)
    assert f"`uml cancel {job_id}` ends it" in begun.stderr
    seen = [json.loads(line) for line in read_until(events.stdout, b'"committed"')]
    assert {event["kind"] for event in seen} == {"job", "worker"}
    events.send_signal(signal.SIGINT)
    assert events.wait(30) == 130
    read_until(lines.stdout, b"load of tiny: done after")
    gateway.send_signal(signal.SIGTERM)
    assert lines.wait(30) == 1
    assert b"has ended; start it again with `uml serve`" in lines.stderr.read()


def test_the_bar_counts_the_requests_that_it_waits_for(machine, gateway):
    machine.model("talker", tokens=500, token_s=0.01)
    machine.uml("load", "talker")
    url = json.loads((machine.folder / "data" / "run" / "gateway.json").read_text())["url"]
    body = {"model": "talker", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        reader = threading.Thread(target=answer.read)
        reader.start()
        terminal = machine.terminal("load", "tiny")
        terminal.expect("draining 1 request of talker")
        terminal.expect("loaded tiny with fake")
        assert terminal.end() == 0
        assert "before: talker (freed" in plain(terminal.seen).replace("\r\n", " ")
        reader.join()


def test_run_with_a_gateway_shows_the_same_bar(machine, gateway):
    machine.model("long", load_s=2.5)
    terminal = machine.terminal("run", "long", "Hi there")
    terminal.expect("loading long")
    terminal.expect("by the worker")
    terminal.expect("Hello")
    assert terminal.end() == 0


def test_a_gateway_that_dies_takes_the_load_along(machine, gateway):
    watcher = machine.start("load", "slow")
    read_until(watcher.stderr, b"loading slow")
    gateway.kill()
    assert watcher.wait(30) == 1
    assert b"the gateway ended during the load of 'slow'" in watcher.stderr.read()
