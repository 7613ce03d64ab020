"""The parent's end of the process that renders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from uml_core.errors import BadRequestError

SECONDS: Final = 2.0
"""Computing time for one prompt; a template needs a few milliseconds."""
WALL_SECONDS: Final = 10.0
"""The longest that anybody waits for one, however busy the machine is, and the only limit under Windows."""
MEMORY: Final = 64 << 20
"""Bytes that a template may take for one prompt, besides what depends on the length of the messages."""

_KEPT = ("DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT", "TZ")
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from rendering.main import main; main()"
"""Without the package around it, whose imports would cost the child half a second and 20 MB."""


class TemplateProcess:
    """Renders in a child that is kept from one request to the next, and replaced when it had to be killed."""

    def __init__(self, templates: Mapping[str, str], names: Mapping[str, str], *, longest: int) -> None:
        """Start the child, and don't wait for it.

        :param longest: a prompt with more characters is refused
        """
        limits = {"longest": longest, "seconds": SECONDS, "memory": MEMORY + 8 * longest}
        self._setup = _frame({"templates": dict(templates), "names": dict(names), **limits})
        self._lock = threading.Lock()
        self._closed = False
        self._child = self._start()

    @property
    def pid(self) -> int:
        """The child's number as of now."""
        return self._child.pid

    def ask(self, request: Mapping[str, Any]) -> str:
        """Render one prompt.

        :raises BadRequestError: the template refused, or the child had to be ended
        """
        question = _frame(request)
        with self._lock:
            answer = self._exchange(question)
        if answer is None:
            raise _refused("it takes too long, or too much memory, with them")
        if "error" in answer:
            raise _refused(str(answer["error"]))
        return str(answer["text"])

    def close(self) -> None:
        """End the child."""
        self._closed = True
        _end(self._child)

    def _exchange(self, question: bytes) -> dict[str, Any] | None:
        if self._child.poll() is not None and not self._closed:  # the system, or somebody else, has ended it
            self._replace()
        watch = threading.Timer(WALL_SECONDS, self._child.kill)
        watch.start()
        try:
            return _asked(self._child, question)
        except (OSError, ValueError):
            if not self._closed:
                self._replace()
            return None
        finally:
            watch.cancel()

    def _replace(self) -> None:
        _end(self._child)
        self._child = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
        )
        _write(child, self._setup)
        return child


def _refused(why: str) -> BadRequestError:
    said = " ".join(why.split())[:300]
    return BadRequestError(f"the model's chat template refuses these messages: {said}", param="messages")


def _frame(value: Mapping[str, Any]) -> bytes:
    said = json.dumps(value).encode()
    return len(said).to_bytes(4, "big") + said


def _asked(child: subprocess.Popen[bytes], question: bytes) -> dict[str, Any]:
    _write(child, question)
    size = int.from_bytes(_read(child.stdout, 4), "big")
    answer: dict[str, Any] = json.loads(_read(child.stdout, size))
    return answer


def _write(child: subprocess.Popen[bytes], frame: bytes) -> None:
    assert child.stdin is not None
    child.stdin.write(frame)
    child.stdin.flush()


def _read(stream: IO[bytes] | None, size: int) -> bytes:
    said = stream.read(size) if stream is not None else b""
    if len(said) < size:
        raise ValueError("the child has ended")
    return said


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # what was still to be written reaches nobody
                continue
