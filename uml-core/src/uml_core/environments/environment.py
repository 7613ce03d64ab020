"""Make and remove the environment of one backend: it is whole, or it isn't there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from uml_core.environments.folder import EngineFolder
from uml_core.environments.installer import PIP_SETTINGS, Installer, run
from uml_core.environments.step import Step, Tell
from uml_core.errors import ConflictError, NotFoundError

TEMPORARY = "tmp"


def make(
    folder: EngineFolder,
    requirements: Sequence[str],
    *,
    installer: Installer,
    base: Path,
    tell: Tell,
    check: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Make a new environment, and only once it is whole let it take the place of the one that is there; its Python.

    Whatever goes wrong, or whoever interrupts it, the one that was there stays and nothing is left of the new one.

    :param requirements: words for pip or uv
    :param base: the Python that it is made of
    :param check: looks at the new Python, and raises if it won't do
    :raises ConflictError: it is being made by another process
    :raises PluginError: *installer* failed
    """
    with _alone(folder):
        _sweep(folder)
        new = Path(tempfile.mkdtemp(prefix="env-", dir=folder.path))
        try:
            python = _made(new, requirements, installer=installer, base=base, tell=tell)
            tell(Step(label="looking at the new environment"))
            check(python)
            _note(folder, new.name)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _sweep(folder)
        return python


def _made(new: Path, requirements: Sequence[str], *, installer: Installer, base: Path, tell: Tell) -> Path:
    tell(Step(label="making an environment"))
    seeded = [] if installer.seeds else ["--without-pip"]
    run("venv", [str(base), "-P", "-m", "venv", *seeded, str(new)], PIP_SETTINGS, tell)
    temporary = new / TEMPORARY
    temporary.mkdir()
    installer.install(new / "bin" / "python", requirements, temporary=temporary, tell=tell)
    shutil.rmtree(temporary, ignore_errors=True)
    return new / "bin" / "python"


def remove(folder: EngineFolder) -> Path:
    """Remove the environment; where it was.

    :raises NotFoundError: there is none
    :raises ConflictError: a worker runs in it, or it is being made
    """
    if (current := folder.current) is None:
        raise NotFoundError(f"'{folder.path.name}' has no environment of its own; `uml plugins` shows what it runs in")
    with _alone(folder):
        if (pid := _user(current)) is not None:
            raise ConflictError(f"process {pid} runs in '{current}'; `uml unload` ends a worker")
        folder.note.unlink(missing_ok=True)
        _sweep(folder)
    return current


@contextlib.contextmanager
def _alone(folder: EngineFolder) -> Iterator[None]:
    folder.path.mkdir(parents=True, exist_ok=True)
    with (folder.path / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"the environment of '{folder.path.name}' is being made by another process; wait for its end"
            ) from None
        yield


def _note(folder: EngineFolder, name: str) -> None:
    """Write down which one it is; from now on it is used."""
    draft = folder.path / "environment.json.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"folder": name}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder.note)


def _sweep(folder: EngineFolder) -> None:
    """Remove what is no environment any more, or never became one; not what a worker still runs in."""
    for old in folder.path.glob("env-*"):
        if old != folder.current and _user(old) is None:
            shutil.rmtree(old, ignore_errors=True)


def _user(environment: Path) -> int | None:
    """The pid of a process that runs in it: such a Python is named by its path, for what it executes is its base."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"]
        if command and Path(command[0]).is_relative_to(environment):
            return process.pid
    return None
