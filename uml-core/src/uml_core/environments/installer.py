"""Let pip or uv install into an environment: they know the user's index, proxies, certificates and passwords."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from uml_core.environments.step import COUNTED, Step, Tell, next_step
from uml_core.errors import PluginError
from uml_core.host.engine import is_installed

STOP_S = 5.0
LOG_LINES = 12
RAW_SINCE = (24, 1)
"""The version of pip from which on it writes a download's bytes for a program to read."""
PIP_SETTINGS = {
    "PIP_NO_INPUT": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONUNBUFFERED": "1",
}


@frozen
class Installer:
    """``name install`` into any environment; ``seeds``: the environment itself must have pip then."""

    name: str
    words: tuple[str, ...]
    settings: Mapping[str, str] = field(factory=dict)
    seeds: bool = False

    def install(self, python: Path, requirements: Sequence[str], *, temporary: Path, tell: Tell) -> None:
        """Install *requirements*, words of its command line, for *python*.

        :param temporary: an empty folder for what it unpacks and builds
        :raises PluginError: it failed; ``detail`` has its last words
        """
        said = [word.format(python=python) for word in self.words]
        run(self.name, [*said, *requirements], {**self.settings, "TMPDIR": str(temporary)}, tell)


def find_installer() -> Installer:
    """What installs here: this environment's pip, else uv, else a pip that each new environment gets of its own."""
    if is_installed("pip"):
        return Installer("pip", (sys.executable, "-P", "-m", "pip", "--python={python}", *_install()), PIP_SETTINGS)
    if uv := shutil.which("uv"):
        return Installer("uv", (uv, "pip", "install", "--python={python}"))
    return Installer("pip", ("{python}", "-P", "-m", "pip", *_install()), PIP_SETTINGS, seeds=True)


def _install() -> tuple[str, ...]:
    """The command of pip, which tells how far a download is if it can."""
    try:
        version = tuple(int(part) for part in importlib.metadata.version("pip").split(".")[:2])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ("install",)
    return ("install", "--progress-bar=raw") if version >= RAW_SINCE else ("install",)


def run(name: str, command: Sequence[str], settings: Mapping[str, str], tell: Tell) -> None:
    """Run *command* to its end, and tell its steps; when we are to end first, it and its children are ended.

    :raises PluginError: it failed; ``detail`` has its last words
    """
    lines: deque[str] = deque(maxlen=LOG_LINES)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **settings},
        start_new_session=True,  # Ctrl-C is ours to act on; and what it starts to compile ends with it
    ) as child:
        reader = threading.Thread(target=_read, args=(child.stdout or (), lines, tell))
        reader.start()
        try:
            child.wait()
        finally:
            _stop(child)
            reader.join()
    if child.returncode:
        raise PluginError(
            f"{name} could not install it; its last words are below: look at the network and at {name}'s package index",
            detail=[line.rstrip() for line in lines],
        )


def _read(output: Iterable[str], lines: deque[str], tell: Tell) -> None:
    step = Step(label="starting")
    for line in output:
        if (new := next_step(line, step)) != step:
            tell(step := new)
        if line.strip() and not COUNTED.match(line.strip()):
            lines.append(line)


def _stop(child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_S)
        os.killpg(child.pid, signal.SIGKILL)  # what it left behind would keep our pipe open
    child.wait()
