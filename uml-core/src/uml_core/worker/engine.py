"""The one thread that the engine lives in: it loads there, answers there, and is closed there."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

from uml_core.errors import ShuttingDownError
from uml_core.types import Plan
from uml_core.worker.generation import Answer, Generation
from uml_core.worker.own_memory import own_bytes
from uml_core.worker.requests import GenerationRequest

Load: TypeAlias = Callable[[Plan, Callable[[float], None]], Any]
"""A backend's ``load(plan, progress)``: loads the model, calls *progress* with 0 to 1 if it can, gives the engine.

With 0 it says that the engine is imported and the model comes next: what the process holds then is no model's.
"""


@frozen(eq=False)
class _Job:
    generation: Generation
    answer: Answer
    request: GenerationRequest


class EngineThread:
    """Runs one request at a time, first come, first served. Native engines are bound to the thread that made them.

    ``engine`` is None until it is loaded; ``activity`` rises with every sign of life and is never set back.
    ``overhead_bytes`` is what the process held with nothing loaded: when the load said that it begins (a first progress
    of 0), else before it was called; None where the system doesn't say.
    """

    def __init__(self, load: Load, plan: Plan, *, failed: Callable[[BaseException], None]) -> None:
        self.engine: Any = None
        self.progress: float | None = None
        self.activity = 0
        self.overhead_bytes: int | None = None
        self._load, self._plan, self._failed = load, plan, failed
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tick(self) -> None:
        self.activity += 1

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def submit(self, generation: Generation, answer: Answer, request: GenerationRequest) -> None:
        """Put a request at the end of the queue.

        :raises ShuttingDownError: the worker is being stopped
        """
        with self._changed:
            if self._stopping:
                raise ShuttingDownError("the worker is being stopped; ask again")
            self._waiting.append(_Job(generation, answer, request))
            self._changed.notify()

    def withdraw(self, generation: Generation) -> None:
        """Cancel a request wherever it is; one that waits leaves the queue at once."""
        generation.cancel()
        with self._changed:
            self._waiting = deque(job for job in self._waiting if job.generation is not generation)

    def stop(self) -> None:
        """Take nothing more, cancel everything, and let the engine close itself."""
        error = ShuttingDownError("the worker was stopped before the answer was complete; ask again")
        with self._changed:
            self._stopping = True
            jobs = [*self._waiting, *([self._running] if self._running else [])]
            self._waiting.clear()
            self._changed.notify()
        for job in jobs:
            job.generation.cancel(error)

    def join(self, timeout_s: float) -> None:
        """Wait until the engine is closed; a call into native code may take longer than anybody wants to wait."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self.overhead_bytes = own_bytes()
            self.engine = self._load(self._plan, self._report)
            self.tick()
            self._serve()
        except BaseException as error:  # noqa: BLE001 - SystemExit too: some engines call sys.exit()
            self._failed(error)

    def _serve(self) -> None:
        while job := self._next():
            try:
                job.generation.run(job.answer, job.request)
            except Exception:  # noqa: BLE001 - the client has been told; the log wants the place
                traceback.print_exc(file=sys.stderr)
        if (close := getattr(self.engine, "close", None)) is not None:
            close()

    def _next(self) -> _Job | None:
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if not self._stopping:
                self._running = self._waiting.popleft()
            return self._running

    def _report(self, progress: float) -> None:
        if self.progress is None and progress <= 0:
            self.overhead_bytes = own_bytes()
        self.progress = min(max(float(progress), 0.0), 1.0)
        self.tick()
