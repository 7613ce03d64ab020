"""Who holds the memory: real processes that hold some."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from uml_core.host.devices.occupants import occupants
from uml_core.host.holders import memory_holders, program_name

MIB = 1 << 20
HOLD = "import sys; held = b'x' * int(sys.argv[1]); print(flush=True); sys.stdin.read()"


@pytest.fixture
def holding():
    """Start a process that holds so many bytes."""
    started = []

    def start(size):
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(size)], stdin=pipe, stdout=pipe)
        started.append(process)
        assert process.stdout.readline()
        return process

    yield start
    for process in started:
        process.communicate()


def test_the_largest_first_by_pid_name_and_bytes(holding):
    large, small = holding(300 * MIB), holding(120 * MIB)
    held = {holder.pid: holder for holder in memory_holders(most=1000)}
    assert 300 * MIB < held[large.pid].held_bytes < 350 * MIB
    assert held[large.pid].name.startswith("python")
    order = list(held)
    assert order.index(large.pid) < order.index(small.pid)
    sizes = [holder.held_bytes for holder in held.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_no_more_than_asked_for_and_nobody_small(holding):
    holding(100 * MIB)
    assert len(memory_holders(most=1)) == 1
    assert all(holder.held_bytes >= 90 * MIB for holder in memory_holders(least_bytes=90 * MIB))


def test_a_process_that_is_gone_has_no_name():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert program_name(ended.pid) == ""
    assert program_name(os.getpid())


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("script.py", "--token", "secret"), "script.py"),
        (("-P", "-m", "module", "secret"), "module"),
        (("-c", "import module, sys; print(flush=True); sys.stdin.read()"), ""),
    ],
)
def test_of_python_it_says_what_runs(tmp_path, arguments, name):
    for file in ("script.py", "module.py"):
        (tmp_path / file).write_text("import sys; print(flush=True); sys.stdin.read()")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command, pipe = [sys.executable, *arguments], subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout.readline()
        program, _, what = program_name(process.pid).partition(" ")
        process.communicate()
    assert program.startswith("python")
    assert what == name


def test_rows_of_a_driver_become_holders():
    own, none = os.getpid(), 2**22 + 1
    found = occupants({own: 5, none: 7}, marks=("python",))
    assert [(holder.pid, holder.held_bytes) for holder in found] == [(own, 5)]


def test_a_process_that_never_opened_the_driver_is_not_the_one_that_is_meant():
    """In a container, a pid of the world around it may be the number of another process here."""
    assert occupants({os.getpid(): 5}, marks=("libcuda",)) == ()


def test_a_process_that_can_not_be_looked_at_is_believed(tmp_path):
    assert [holder.pid for holder in occupants({os.getpid(): 5}, marks=("libcuda",), proc=tmp_path)] == [os.getpid()]
