"""What an earlier gateway left: ended if it is proven ours, and never anybody else's."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from uml_core.supervisor import lock
from uml_core.supervisor.leftovers import PROCESS_FILE, boot_id, last_generation, note_process, reap

LAUNCH_ID = "0123456789abcdef"


@pytest.fixture
def start():
    """Start a process that sleeps, with that launch id in its environment."""
    started = []

    def run(launch_id=LAUNCH_ID, code="import time; time.sleep(60)"):
        environment = {"PATH": os.environ["PATH"], **({"UML_LAUNCH_ID": launch_id} if launch_id else {})}
        process = subprocess.Popen([sys.executable, "-I", "-S", "-c", code], env=environment, stdout=subprocess.PIPE)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def launch(tmp_path):
    folder = tmp_path / f"launch-7-{LAUNCH_ID}"
    folder.mkdir()
    (folder / "token").write_text("secret")
    return folder


async def test_a_left_over_worker_is_ended_and_its_folder_removed(tmp_path, launch, start):
    engine = start()
    note_process(launch, engine.pid)
    assert await reap(tmp_path) == [LAUNCH_ID]
    assert not psutil.pid_exists(engine.pid)
    assert not launch.exists()
    assert await reap(tmp_path) == []


async def test_what_a_dead_worker_started_is_ended_too(tmp_path, launch, start):
    parent = start(
        code="""
import os, time
if os.fork() == 0:
    os.setsid(); print(os.getpid(), flush=True); time.sleep(60)
time.sleep(60)
"""
    )
    note_process(launch, parent.pid)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    assert await reap(tmp_path) == [LAUNCH_ID]
    child.wait(5)


@pytest.mark.parametrize("forged", ["pid", "started", "boot", "mark", "no file", "no JSON"])
async def test_nobody_else_is_touched(tmp_path, launch, start, forged):
    victim = start(launch_id=None if forged in {"pid", "mark"} else LAUNCH_ID)
    note_process(launch, victim.pid)
    facts = json.loads((launch / PROCESS_FILE).read_text())
    if forged == "started":
        facts["started"] += 3600
    elif forged == "boot":
        facts["boot"] = "another boot"
    (launch / PROCESS_FILE).write_text("{" if forged == "no JSON" else json.dumps(facts))
    if forged == "no file":
        (launch / PROCESS_FILE).unlink()
    assert await reap(tmp_path) == []
    assert victim.poll() is None
    assert not launch.exists(), "the folder of an earlier gateway is of no use to anybody"


async def test_other_folders_stay_and_generations_go_on(tmp_path, launch):
    (tmp_path / "launch-x").mkdir()
    (tmp_path / "gateway.json").write_text("{}")
    assert last_generation(tmp_path) == 7
    await reap(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"launch-x", "gateway.json"}
    assert last_generation(tmp_path / "nonesuch") == 0


@pytest.mark.parametrize("content", ["", "x" * 21, "no number"])
def test_generations_go_on_without_a_folder(tmp_path, content):
    """After a clean end, or after a gateway that was killed before its first launch, no folder is there."""
    path = tmp_path / "slot-0.lock"
    path.write_text(content)
    assert last_generation(tmp_path) == 0
    for generation in (9, 10):
        held = lock.take(path)
        lock.note_generation(held, generation)
        os.close(held)
        assert last_generation(tmp_path) == generation
    (tmp_path / f"launch-11-{'0' * 16}").mkdir()
    assert last_generation(tmp_path) == 11


def test_a_boot_has_a_name():
    assert boot_id() == boot_id() != ""
