"""The process that asks the drivers: whatever it does, there is an answer in time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from uml_core.host.devices.answer import Answer

COMMAND = (sys.executable, "-P", "-m", "uml_core.host.probe")
LIMIT_S = 10.0
"""Without persistence mode NVIDIA's driver starts each device anew for whoever comes first."""
END_S = 1.0
NAMES = {"cuda": "NVIDIA's driver", "rocm": "AMD's driver", "metal": "macOS", "vulkan": "Vulkan's drivers"}
LIMIT = "UML_PROBE_LIMIT_S"


def ask(
    sources: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_S,
    command: Sequence[str] = COMMAND,
) -> list[Answer]:
    """Ask *sources* in a child process: one answer for each, a ``problem`` where one hung or broke the process.

    Takes *limit_s* at most, and a second more if the child can't even be killed; where one source breaks the process,
    the others are asked again without it, within the same limit each.

    :param environment: further variables for the child
    """
    child = Child(command, sources, {**(environment or {}), LIMIT: f"{limit_s:g}"})
    answers = child.answers(limit_s)
    missing = [source for source in sources if source not in {answer.source for answer in answers}]
    if child.hung or len(missing) < 2:
        return [*answers, *(Answer(source=source, problem=child.problem(source, limit_s)) for source in missing)]
    for source in missing:  # one of them broke it, and nobody knows which
        answers += ask([source], environment=environment, limit_s=limit_s, command=command)
    return answers


class Child:
    """One run of the probe."""

    def __init__(self, command: Sequence[str], sources: Sequence[str], environment: Mapping[str, str]) -> None:
        self.hung = False
        self._sources = sources
        self._last_words = ""
        self._process: subprocess.Popen[bytes] | None = None
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                [*command, *sources],
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                env={**os.environ, **environment},
            )
        except OSError as error:
            self._last_words = f"can't be run: {error.strerror}"

    def answers(self, limit_s: float) -> list[Answer]:
        """Wait for its end, but no longer than that; what it said until then."""
        if self._process is None:
            return []
        try:
            told, words = self._process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.hung = True
            told, words = self._kill()
        except BaseException:
            self._process.kill()
            raise
        self._last_words = words.decode("utf-8", "replace")
        return list(_read(told.decode("utf-8", "replace").splitlines(), self._sources))

    def problem(self, source: str, limit_s: float) -> str:
        """Why there is no answer of *source*."""
        name = NAMES.get(source) or f"the plugin '{source.partition(':')[2]}'"
        if self.hung:
            return f"{name} didn't answer in {limit_s:g} seconds, so its devices are not used; restart the machine"
        return f"the process that asks {name} {self._ending()}"

    def _ending(self) -> str:
        said = self._last_words.strip()
        last = said.splitlines()[-1] if said else "it said nothing"
        if self._process is None:
            return last
        code = self._process.returncode
        return f"ended with {f'signal {-code}' if code < 0 else f'code {code}'}: {last}"

    def _kill(self) -> tuple[bytes, bytes]:
        assert self._process
        self._process.kill()
        try:
            return self._process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired as late:  # the driver holds it; it ends when the driver lets go of it
            return late.output or b"", late.stderr or b""


def _read(lines: Iterable[str], sources: Sequence[str]) -> Iterable[Answer]:
    for line in lines:
        try:
            answer = Answer.of_line(line)
        except ValueError:  # it was cut off in the middle of it
            continue
        if answer.source in sources:
            yield answer
