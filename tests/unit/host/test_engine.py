from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from uml_core.errors import SettingsError
from uml_core.host import interpreter
from uml_core.host.engine import find_engine, is_installed

BOMB = "raise SystemExit('an engine was imported')\n"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch) -> Path:
    """A folder on the path with engines that must not be imported."""
    (tmp_path / "bomb").mkdir()
    (tmp_path / "bomb/__init__.py").write_text(BOMB)
    (tmp_path / "bomb/inner.py").write_text(BOMB)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "found"),
    [("bomb", True), ("bomb.inner", True), ("bomb.gone", False), ("gone", False), ("gone.inner", False)],
)
def test_an_engine_is_found_without_importing_it(modules, module, found):
    assert is_installed(module) is found
    assert "bomb" not in sys.modules


def test_where_an_engine_lies(modules):
    (modules / "bare").mkdir()
    assert find_engine("bomb") == modules / "bomb/__init__.py"
    assert find_engine("bomb.inner") == modules / "bomb/inner.py"
    assert find_engine("bare") == modules / "bare"
    assert find_engine("gone") is None


def test_what_is_imported_already_is_installed():
    assert is_installed("pytest", interpreter=sys.executable)
    assert is_installed("__main__")


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """Another environment."""
    folder = tmp_path_factory.mktemp("other")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder


def site(other: Path) -> Path:
    return next(other.glob("lib/python*/site-packages"))


def test_another_interpreter_is_asked_about_its_own_modules(other, modules, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(modules))
    python = str(other / "bin/python")
    (site(other) / "theirs").mkdir()
    (site(other) / "theirs/__init__.py").write_text(BOMB)
    assert is_installed("theirs", interpreter=python)
    assert find_engine("theirs", interpreter=python) == site(other) / "theirs/__init__.py"
    assert find_engine("bomb", interpreter=python) is None
    assert not is_installed("bomb", interpreter=python)
    assert not is_installed("pytest", interpreter=python)
    assert not is_installed("theirs.inner", interpreter=python)


def test_it_is_asked_again_only_after_an_installation(other, monkeypatch):
    python, asked = str(other / "bin/python"), []
    run = subprocess.run
    monkeypatch.setattr(interpreter.subprocess, "run", lambda *a, **k: asked.append(a) or run(*a, **k))
    assert not is_installed("later", interpreter=python)
    assert not is_installed("later", interpreter=python)
    assert len(asked) == 1
    (site(other) / "later.py").write_text(BOMB)
    os.utime(site(other), ns=(1, 1))  # a change within the clock's tick would go unseen
    assert is_installed("later", interpreter=python)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "ended with code 3"),
        ("echo hello", "gave no answer that a Python would give"),
        ("echo '{\"found\": 1}'", "gave no answer"),
        ("exec sleep 60", "didn't answer in 0.3 seconds"),
    ],
)
def test_an_interpreter_that_is_none(tmp_path, monkeypatch, script, reason):
    monkeypatch.setattr(interpreter, "ANSWER_S", 0.3)
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    with pytest.raises(SettingsError, match=f"the interpreter '.*python' {reason}.*; name a Python 3.11 or newer"):
        is_installed("json", interpreter=str(path))


def test_an_interpreter_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="can't be run: No such file"):
        is_installed("json", interpreter=str(tmp_path / "python"))
