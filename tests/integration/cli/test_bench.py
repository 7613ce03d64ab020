"""``uml bench`` in real processes: without a gateway, with one, and ended in the middle."""

from __future__ import annotations

import json
import signal

import psutil
import pytest

from uml_core.client import UniversalClient

SCRIPT = {"tokens": 40, "token_s": 0.002}
"""An answer has to take some time, else it has no speed."""


@pytest.fixture
def gateway(machine):
    machine.serve()
    return UniversalClient(json.loads((machine.folder / "data" / "run" / "gateway.json").read_text())["url"])


def loaded(client):
    active = client.active()
    names = ("model", "backend", "context_length", "parallel", "threads", "spin", "options")
    return active and {name: active[name] for name in names}


def burners(process):
    return [child for child in psutil.Process(process.pid).children() if "burning" in command_line(child)]


def command_line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


def ended(process):
    """Whether it has; whoever inherited it may not have looked yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_was_measured_is_told_and_remembered(machine):
    machine.model("tiny", **SCRIPT)
    done = machine.uml("bench", "tiny", "--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["BACKEND", "LOAD"]
    assert "BESIDE A BUSY PROCESS" in done.stdout
    assert "measuring fake: run 1 of 1 (1 of " in done.stderr
    assert "from now on tiny is loaded with fake and " in done.stderr
    assert not machine.workers()
    advice = json.loads(machine.uml("recommend", "--task", "text", "--json").stdout)
    assert advice["data"][0]["measured"] is True


def test_a_model_that_nothing_can_load(machine):
    machine.model("broken", load_exit=1)
    done = machine.uml("bench", "broken", "--quick")
    assert done.returncode == 4
    assert "error: 'broken' could not be measured with any backend\n  fake: " in done.stderr
    assert "fake engine: the load failed as scripted" in done.stderr


def test_a_gateway_measures_and_gets_its_model_back(machine, gateway):
    machine.model("tiny", **SCRIPT)
    machine.model("other")
    gateway.load("other", context_length=1024, threads=3, spin=False, options={"tokens": 5})
    before = loaded(gateway)
    refused = machine.uml("bench", "tiny", "--quick")
    assert refused.returncode == 2
    assert "the gateway has 'other' loaded; it is unloaded while this measures" in refused.stderr
    done = machine.uml("bench", "tiny", "--quick", "--no-threads", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    (only,) = said["backends"]
    assert (said["model"], only["backend"], said["threads"]) == ("tiny", "fake", [])
    for name in ("load_s", "first_token_s", "prompt_tokens_per_s", "decode_tokens_per_s", "memory_bytes"):
        middle, least, most = only[name]
        assert 0 < least <= middle <= most
    assert said["chosen"]["reason"] == "it is the only one that can"
    assert loaded(gateway) == before
    benched = [profile for profile in gateway.profiles("tiny") if profile["source"] == "bench"]
    assert [profile["decode_tokens_per_s"] > 0 for profile in benched] == [True]


def test_ctrl_c_keeps_what_was_measured_and_brings_the_model_back(machine, gateway, wait_for):
    machine.model("tiny", tokens=40, token_s=0.05)
    machine.model("other")
    gateway.load("other")
    before = loaded(gateway)
    process = machine.start("bench", "tiny", "--quick", "--yes", "--json")
    (burner, *_) = wait_for(lambda: burners(process), why="nothing was measured beside a busy process")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert b"interrupted; what was measured until now is kept" in stderr
    assert json.loads(stdout)["backends"][0]["decode_tokens_per_s"]
    wait_for(lambda: ended(burner), why="the busy process goes on")
    assert loaded(gateway) == before
    assert any(profile["source"] == "bench" for profile in gateway.profiles("tiny"))
