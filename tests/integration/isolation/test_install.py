"""``uml plugins install``: a real pip, real environments, and a worker that says where it runs."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess

import psutil
import pytest


def test_an_engine_of_its_own(with_plugin):
    machine = with_plugin
    assert "parrot-engine is not installed; uml plugins install parrot" in machine.uml("plan", "Polly", code=4).stderr
    view = machine.json("plugins", "install", "parrot", "--isolated")
    [environment] = machine.environments()
    assert view["python"] == str(environment / "bin/python")

    where = machine.parrot()["backend"]["environment"]
    assert (where["interpreter"], where["isolated"], where["own"]) == (view["python"], True, False)
    assert where["protocol"] == 1
    assert where["versions"]["parrot-engine"] == "3.1"
    assert f"engine parrot-engine 3.1; in its own environment, {view['python']} (" in machine.uml("plugins").stdout
    assert view["python"] in machine.uml("doctor").stdout

    assert machine.uml("run", "Polly", "hello").stdout.strip() == f"3.1 in {environment}"


def test_again_it_takes_the_place_of_the_older_one(with_plugin):
    machine = with_plugin
    machine.uml("plugins", "install", "parrot", "--isolated")
    [first] = machine.environments()
    machine.publish_engine("3.2")
    machine.uml("plugins", "install", "uml-parrot", "--isolated")
    [second] = machine.environments()
    assert second != first
    assert machine.uml("run", "Polly", "hello").stdout.strip() == f"3.2 in {second}"

    machine.uml("plugins", "remove", "parrot")
    assert machine.environments() == []
    assert "parrot-engine is not installed" in machine.uml("plan", "Polly", code=4).stderr
    assert "has no environment of its own" in machine.uml("plugins", "remove", "parrot", code=3).stderr


def test_a_plugin_that_nobody_knows_yet(machine):
    machine.uml("plugins", "install", "parrot")
    card = machine.parrot()
    assert (card["status"], card["distribution"]) == ("loaded", "uml-parrot 1.0")
    assert card["backend"]["environment"]["own"]
    assert machine.uml("run", "Polly", "hello").stdout.strip() == f"3.1 in {machine.own}"


def test_a_plugin_that_nobody_knows_yet_and_its_engine_apart(machine):
    machine.uml("plugins", "install", "parrot", "--isolated")
    [environment] = machine.environments()
    assert machine.uml("run", "Polly", "hello").stdout.strip() == f"3.1 in {environment}"
    apart = subprocess.run([machine.own / "bin/python", "-c", "import parrot_engine"], capture_output=True, check=False)
    assert apart.returncode, "the engine was to lie in the other environment only"


def test_a_plugin_that_there_is_not(machine):
    said = machine.uml("plugins", "install", "macaw", code=1).stderr
    assert "could not install it" in said
    assert "uml-macaw" in said
    assert "is no name of a plugin" in machine.uml("plugins", "install", "../macaw", code=2).stderr


def test_what_fails_leaves_the_older_one(with_plugin):
    machine = with_plugin
    machine.uml("plugins", "install", "parrot", "--isolated")
    before = machine.environments()
    said = machine.uml("plugins", "install", "parrot", "--isolated", "--with", "no-such-package", code=1).stderr
    assert "no-such-package" in said
    assert machine.environments() == before
    assert machine.uml("run", "Polly", "hello").stdout.strip() == f"3.1 in {before[0]}"


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, id="Ctrl-C"), pytest.param(signal.SIGTERM, id="TERM", marks=pytest.mark.proof)],
)
def test_an_interrupted_one_leaves_nothing(with_plugin, wait_for, number):
    machine, slow = with_plugin, with_plugin.slow()
    process = machine.start("plugins", "install", "parrot", "--isolated", "--with", str(slow))
    wait_for((slow / "began").exists)
    begun = psutil.Process(process.pid).children(recursive=True)
    assert len(begun) > 1, "a build runs below pip"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode in {130, 128 + number}
    assert machine.environments() == []
    _, alive = psutil.wait_procs(begun, timeout=10)
    assert alive == []


def test_one_that_was_killed_is_no_environment_and_goes_with_the_next(with_plugin, wait_for):
    machine, slow = with_plugin, with_plugin.slow()
    process = machine.start("plugins", "install", "parrot", "--isolated", "--with", str(slow))
    wait_for((slow / "began").exists)
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=30)
    for child in below:
        child.kill()
    [half] = machine.environments()
    assert machine.parrot()["backend"]["environment"]["own"]
    machine.uml("plugins", "install", "parrot", "--isolated")
    [whole] = machine.environments()
    assert whole != half


def test_two_at_once(with_plugin):
    machine = with_plugin
    machine.engines.mkdir(parents=True)
    with (machine.engines / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = machine.uml("plugins", "install", "parrot", "--isolated", code=5).stderr
    assert "is being made by another process" in said


@pytest.mark.proof
def test_what_a_worker_runs_in_stays_until_it_ended(with_plugin, wait_for):
    machine = with_plugin
    machine.uml("plugins", "install", "parrot", "--isolated")
    [first] = machine.environments()
    worker = subprocess.Popen([first / "bin/python", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        wait_for(lambda: str(first) in psutil.Process(worker.pid).cmdline()[0])
        said = machine.uml("plugins", "remove", "parrot", code=5).stderr
        assert f"process {worker.pid} runs in '{first}'" in said
        machine.uml("plugins", "install", "parrot", "--isolated")
        assert len(machine.environments()) == 2
    finally:
        worker.communicate(b"\n")
    machine.uml("plugins", "remove", "parrot")
    assert machine.environments() == []


def test_the_settings_file_goes_first(with_plugin):
    machine = with_plugin
    machine.settings = "[plugins.parrot]\npython = '/usr/bin/python3'\n"
    said = machine.uml("plugins", "install", "parrot", "--isolated", code=5).stderr
    assert "`python` in [plugins.parrot] of uml.toml names '/usr/bin/python3'" in said
    assert machine.environments() == []


def test_a_plugin_that_is_no_backend_or_comes_with_uml(machine):
    assert "is no backend" in machine.uml("plugins", "install", "tasks", "--isolated", code=1).stderr
    assert "comes with UML itself" in machine.uml("plugins", "install", "tasks", code=1).stderr


def test_a_person_sees_what_is_done(with_plugin, wait_for):
    machine, slow = with_plugin, with_plugin.slow()
    process, terminal = machine.terminal("plugins", "install", "parrot", "--isolated", "--with", str(slow))
    seen: list[str] = []

    def look():
        if select.select([terminal], [], [], 0.1)[0]:
            seen.append(os.read(terminal, 65536).decode("utf-8", "replace"))
        return "looking at slow" in "".join(seen)

    wait_for(look)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert machine.environments() == []
