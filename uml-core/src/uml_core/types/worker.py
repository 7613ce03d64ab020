"""What crosses between the supervisor and a backend about one child process."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen

from uml_core.types.memory import MemoryPart
from uml_core.types.status import LOADING

WORKER_PROTOCOL = 1
"""What the supervisor and :func:`uml_core.worker.serve` agree on: the launch file, the paths, the wire format.

It rises with each change that one side of another version would not understand; the worker may be in another
environment, with another uml-core.
"""

EndpointKind = Literal["fd", "port"]


@frozen(kw_only=True)
class Launch:
    """One launch of one worker. It never leaves the supervisor and the child; the token is not in its repr.

    ``host`` and ``port`` are where the worker will listen. ``token`` must be asked of every request.
    ``token_file`` holds only the token; ``launch_file`` holds plan, endpoint and token for
    :func:`uml_core.worker.serve`. Both are 0600 in ``run_dir``, which is 0700 and removed after the worker.
    """

    generation: int
    launch_id: str
    host: str
    port: int
    token: str = field(repr=False)
    run_dir: Path

    @property
    def token_file(self) -> Path:
        return self.run_dir / "token"

    @property
    def launch_file(self) -> Path:
        return self.run_dir / "launch.json"


@frozen(kw_only=True)
class WorkerCommand:
    """How to start a worker, and how to talk to it.

    ``accepts`` is ``fd`` when the worker takes a listening socket by descriptor (``uml_core.worker.serve`` does),
    ``port`` when it binds ``launch.port`` itself. ``ready_path`` must answer 200 only with the token, and only once
    the model is loaded. ``error_codes`` maps the engine's own error types, or several words that its message has, to
    OpenAI codes; ``progress`` reads one line of the engine's log and gives the part that is loaded, 0 to 1;
    ``memory`` reads one and gives the memory that the engine says it has taken there (of several lines for one device
    and kind the sum counts; ``cpu`` and ``overhead`` is what the process held before it loaded anything). ``adapt``
    gets the path and the body of each request before it is sent, and gives a body that this engine understands in the
    same sense; it may raise a :class:`~uml_core.errors.UMLError`. Times are in seconds.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(factory=dict, repr=False)
    accepts: EndpointKind = "fd"
    ready_path: str = "/health"
    ready_timeout_s: float = 600.0
    stop_grace_s: float = 5.0
    error_codes: Mapping[str, str] = field(factory=dict)
    progress: Callable[[str], float | None] | None = None
    memory: Callable[[str], MemoryPart | None] | None = None
    rewrites_frames: bool = False
    adapt: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] | None = None

    @classmethod
    def python(cls, module: str, *, interpreter: str = "", **rest: Any) -> WorkerCommand:
        """Run *module*, which calls :func:`uml_core.worker.serve`, with this or another environment's Python."""
        return cls(argv=(interpreter or sys.executable, "-P", "-m", module), **rest)


@frozen(kw_only=True)
class WorkerExit:
    """How a worker ended: ``code`` or ``signal`` (one is None), in which state, asked for or not, its last lines.

    ``hung`` says that we ended it because it did not move any more. ``oom_kills`` counts how often the kernel killed
    for memory in the worker's control group since its launch, None where that can't be read. ``peak_bytes`` is the most
    memory that its tree was seen to hold.
    """

    code: int | None
    signal: int | None
    state: str
    intended: bool
    log_tail: tuple[str, ...] = ()
    hung: bool = False
    oom_kills: int | None = None
    peak_bytes: int | None = None

    @property
    def while_loading(self) -> bool:
        """Whether it ended by itself before it was ready."""
        return self.state in LOADING and not self.hung and not self.intended

    def find(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first of its last lines that *pattern* is found in."""
        return next((found for line in self.log_tail if (found := pattern.search(line))), None)

    def __str__(self) -> str:
        how = f"signal {self.signal}" if self.signal is not None else f"code {self.code}"
        return f"exited with {how} while {self.state}"
