"""The one thread that the engine lives in: it loads there, answers there, and is closed there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from uml_core.errors import ShuttingDownError
from uml_core.types import Plan
from uml_core.worker.answering import Answering
from uml_core.worker.generation import Generation
from uml_core.worker.own_memory import own_bytes
from uml_core.worker.rounds import Rounds

Load: TypeAlias = Callable[[Plan, Callable[[float], None]], Any]
"""A backend's ``load(plan, progress)``: loads the model, calls *progress* with 0 to 1 if it can, gives the engine.

With 0 it says that the engine is imported and the model comes next: what the process holds then is no model's.
"""


class EngineThread:
    """Native engines are bound to the thread that made them.

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
        self._rounds = Rounds(tick=self.tick)
        self._open: set[Generation] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tick(self) -> None:
        self.activity += 1

    def look(self) -> None:
        """Look again whether an answer can go on."""
        self._rounds.look()

    @property
    def queued(self) -> int:
        return self._rounds.queued

    def open(self, generation: Generation) -> None:
        """Let a request be known, so that it is told when the worker is being stopped.

        :raises ShuttingDownError: that is so already
        """
        if self._stopping:
            raise ShuttingDownError("the worker is being stopped; ask again")
        self._open.add(generation)

    def submit(self, answers: Iterable[Answering]) -> None:
        """Put answers at the end of the queue."""
        self._rounds.add(answers)

    def withdraw(self, generation: Generation) -> None:
        """Cancel a request wherever it is; one that waits leaves the queue at once."""
        generation.cancel()
        self._open.discard(generation)
        self._rounds.remove(generation)

    def stop(self) -> None:
        """Take nothing more, cancel everything, and let the engine close itself."""
        self._stopping = True
        error = ShuttingDownError("the worker was stopped before the answer was complete; ask again")
        for generation in self._open:
            generation.cancel(error)
        self._rounds.stop()

    def join(self, timeout_s: float) -> None:
        """Wait until the engine is closed; a call into native code may take longer than anybody wants to wait."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self.overhead_bytes = own_bytes()
            self.engine = self._load(self._plan, self._report)
            self.tick()
            self._rounds.run(self.engine)
            if (close := getattr(self.engine, "close", None)) is not None:
                close()
        except BaseException as error:  # noqa: BLE001 - SystemExit too: some engines call sys.exit()
            self._failed(error)

    def _report(self, progress: float) -> None:
        if self.progress is None and progress <= 0:
            self.overhead_bytes = own_bytes()
        self.progress = min(max(float(progress), 0.0), 1.0)
        self.tick()
