"""How far a measurement is: as a bar on a terminal, else as a line for each load."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from attrs import define, field

from uml_core.bench.bench import Bench, Step
from uml_core.cli.output import plain, say
from uml_core.cli.progress import animated, progress
from uml_core.cli.session import Session
from uml_core.cli.stage import Stage


@define
class _Watch:
    """Takes the steps of a measurement; the time left is that of the loads so far, for each that comes."""

    _begun_s: float = field(factory=time.monotonic)
    _step: Step | None = None

    def take(self, step: Step) -> None:
        self._step = step
        if not animated():
            say(plain(self._label(step)), style="dim")

    def stage(self) -> Stage | None:
        step = self._step
        if step is None:
            return None
        elapsed_s, done = time.monotonic() - self._begun_s, step.number - 1
        return Stage(
            label=self._label(step),
            part=done / step.total,
            elapsed_s=elapsed_s,
            eta_s=elapsed_s / done * (step.total - done) if done else None,
        )

    def _label(self, step: Step) -> str:
        return f"measuring {step.label} ({step.number} of {step.total})"


@contextlib.contextmanager
def measuring(run: Bench, session: Session) -> Iterator[None]:  # noqa: ARG001 - the session may know more some day
    """Show how far *run* is while the block runs."""
    watch = _Watch()
    run.on_step = watch.take
    with progress(watch.stage, label="looking around"):
        yield
