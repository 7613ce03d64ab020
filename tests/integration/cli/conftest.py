"""A machine of a test's own: data folder, settings, a fake backend as an installed package, and ``uml`` on it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import field, mutable

from uml_core.testing import write_fake_model

UML = (sys.executable, "-m", "uml_core")
OTHERS = ("UML_", "HF_", "HUGGINGFACE_", "LLAMA_", "OLLAMA_", "XDG_")
"""What the variables begin with that would lead to settings and models of the person who runs the tests."""
LONG_S = 30.0


def _wait_for(condition, *, within_s: float = LONG_S, why: str = "") -> Any:
    """The first true answer of *condition*, asked until then."""
    end_s = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < end_s, why or "it did not happen in time"
        time.sleep(0.02)
    return answer


@mutable
class Terminal:
    """``uml`` with a terminal for standard input, output and error; ``seen`` is all that it wrote."""

    process: subprocess.Popen[bytes]
    descriptor: int
    seen: str = ""
    _at: int = 0

    def expect(self, text: str, *, within_s: float = LONG_S) -> str:
        """Read until *text* comes; what came before it, since the last time."""
        end_s = time.monotonic() + within_s
        while (found := self.seen.find(text, self._at)) < 0:
            ended = not self._read() or time.monotonic() > end_s
            assert not ended, f"{text!r} did not come; there was {self.seen[self._at :]!r}"
        before, self._at = self.seen[self._at : found], found + len(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def interrupt(self) -> None:
        """Type Ctrl-C when the program waits; between a prompt and the wait Python notices it only at the next key."""
        program, used = psutil.Process(self.process.pid), None
        while used != (used := program.cpu_times()[:2]):
            time.sleep(0.1)
        self.type("\x03")

    def end(self, *, within_s: float = LONG_S) -> int:
        """Read to the end; the exit code."""
        end_s = time.monotonic() + within_s
        while self._read():
            assert time.monotonic() < end_s, f"it did not end; there was {self.seen[self._at :]!r}"
        return self.process.wait(within_s)

    def _read(self) -> bool:
        """Whether more may come."""
        if not select.select([self.descriptor], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # EIO: the other side has closed
            return False
        self.seen += data.decode("utf-8", "replace")
        return True


@mutable
class Machine:
    """Runs ``uml`` in real processes; ``allowed`` are the plugins that they may import."""

    folder: Path
    allowed: str = "fake"
    _started: list[subprocess.Popen[bytes]] = field(factory=list)
    _descriptors: list[int] = field(factory=list)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
        return {
            **kept,
            "HOME": str(self.folder / "home"),
            "UML_DATA_DIR": str(self.folder / "data"),
            "UML_CONFIG": str(self.folder / "uml.toml"),
            "UML_SERVER__PORT": "0",
            "UML_PLUGINS__ALLOW": self.allowed,
            "PYTHONPATH": str(self.folder / "site"),
            "TERM": "xterm-256color",
            "COLUMNS": "100",
        }

    def install_fake_backend(self) -> None:
        info = self.folder / "site" / "uml_fake-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: uml-fake\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[uml]\nfake = uml_fake:plugin\n")
        (self.folder / "site" / "uml_fake.py").write_text(
            "from uml_core.testing import FakeBackend\nplugin = FakeBackend()\n"
        )

    def model(self, name: str, **script: Any) -> Path:
        folder = self.folder / "data" / "models"
        folder.mkdir(parents=True, exist_ok=True)
        return write_fake_model(folder / f"{name}.gguf", **script)

    def uml(self, *arguments: str, input: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end; standard input is what *input* says, else nothing."""
        return subprocess.run(
            [*UML, *arguments],
            env={**self.environment, **environment},
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
            **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
        )

    def start(self, *arguments: str, **rest: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*UML, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **rest,
        )
        self._started.append(process)
        return process

    def terminal(self, *arguments: str, columns: int = 100) -> Terminal:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", *UML, *arguments],  # the controlling terminal, so that its Ctrl-C is a signal
            env={**self.environment, "COLUMNS": str(columns)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._started.append(process)
        self._descriptors.append(ours)
        return Terminal(process, ours)

    def serve(self) -> subprocess.Popen[bytes]:
        """A gateway that has said where it is."""
        process = self.start("serve")
        _wait_for((self.folder / "data" / "run" / "gateway.json").exists, why="the gateway did not come up")
        return process

    def workers(self) -> list[psutil.Process]:
        """Guards and engines of this machine that still live."""
        return [process for process in psutil.process_iter() if self._is_worker(process)]

    def _is_worker(self, process: psutil.Process) -> bool:
        try:
            environment = process.environ()
        except psutil.Error:
            return False
        launch_file = environment.get("UML_LAUNCH_FILE", "")
        return launch_file.startswith(str(self.folder)) and process.status() != psutil.STATUS_ZOMBIE

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        _wait_for(lambda: not self.workers(), why="a worker outlived its test")


@pytest.fixture
def wait_for() -> Any:
    return _wait_for


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    machine.install_fake_backend()
    yield machine
    machine.close()
