"""What installs, and what becomes of one that fails or is left."""

from __future__ import annotations

import os
import sys
import threading
import time

import psutil
import pytest

from uml_core.environments import installer
from uml_core.environments.installer import find_installer, run
from uml_core.environments.step import Step
from uml_core.errors import PluginError


@pytest.fixture
def without_pip(monkeypatch):
    monkeypatch.setattr(installer, "is_installed", lambda module: False)


def test_uv_where_there_is_no_pip(without_pip, tmp_path, monkeypatch):
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_installer()
    assert (found.name, found.words[0], found.seeds) == ("uv", str(tmp_path / "uv"), False)


def test_a_pip_of_its_own_where_there_is_neither(without_pip, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_installer()
    assert (found.name, found.words[0], found.seeds) == ("pip", "{python}", True)


def shell(script):
    return ["/bin/sh", "-c", script]


def test_its_steps_are_told_once_each():
    told = []
    run("sh", shell("echo Collecting a; echo Collecting a; echo nothing; echo Progress 1 of 2"), {}, told.append)
    assert told == [
        Step(label="looking for a"),
        Step(label="looking for a", bytes_done=1, bytes_total=2),
    ]


def test_its_last_words_without_the_counting():
    script = "for n in $(seq 40); do echo line $n; echo Progress $n of 40; done; echo >&2 the end; exit 3"
    with pytest.raises(PluginError, match="sh could not install it") as failed:
        run("sh", shell(script), {}, lambda _: None)
    assert failed.value.detail[-2:] == ("line 40", "the end")
    assert len(failed.value.detail) == installer.LOG_LINES


def test_what_it_starts_ends_with_it():
    """Also where only what it started is left, which has its output and would keep us waiting."""
    began_s = time.monotonic()
    run("sh", shell("sleep 300 & echo Collecting $!; exit 0"), {}, lambda _: None)
    assert time.monotonic() - began_s < 60


def test_it_ends_when_we_are_to_end():
    pids = []

    def interrupted(step):
        pids.append(int(step.label.split()[-1]))
        threading.Timer(0.2, os.kill, (os.getpid(), 2)).start()

    script = "import os, time; print('Collecting', os.getpid()); time.sleep(300)"
    with pytest.raises(KeyboardInterrupt):
        run("python", [sys.executable, "-uc", script], {}, interrupted)
    assert not psutil.pid_exists(pids[0])
