"""Measure a model with each backend, then with other threads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from attrs import define, evolve, field, frozen

from uml_core.bench.burner import burning
from uml_core.bench.figures import Figures
from uml_core.bench.memory import held_memory
from uml_core.bench.questions import Questions
from uml_core.bench.rig import Rig, Running
from uml_core.bench.scope import Scope
from uml_core.errors import ConflictError, RequestCancelledError, ShuttingDownError, UMLError
from uml_core.planning.learned import Pair, named
from uml_core.types import Profile


@frozen(kw_only=True)
class Step:
    """What is measured now: the *number*-th of *total* loads."""

    label: str
    number: int
    total: int


@define
class Bench:
    """One run of ``uml bench``. ``figures`` fill as it goes; ``failures`` say why a backend could not be measured."""

    rig: Rig
    scope: Scope
    on_step: Callable[[Step], object] = field(default=lambda _: None)
    begun: datetime = field(factory=lambda: datetime.now(UTC), init=False)
    figures: list[Figures] = field(factory=list, init=False)
    failures: dict[str, str] = field(factory=dict, init=False)
    _done: int = field(default=0, init=False)

    def run(self) -> None:
        """Measure it all; what was measured until an exception or an interrupt is in ``figures``.

        :raises ConflictError: somebody else had another model loaded meanwhile
        """
        for backend in self.scope.backends:
            with _noting(self.failures, backend):
                for run in range(self.scope.effort.runs):
                    self._tell(f"{backend}: run {run + 1} of {self.scope.effort.runs}")
                    self._whole(backend)
        if self.scope.pairs:
            fastest = self.fastest
            learners = [one.backend for one in self.usual] if self.scope.all_learn else [fastest] if fastest else []
            for backend in learners:
                for pair in self.scope.pairs:
                    with _noting(self.failures, f"{backend} with {named(pair)}"):
                        self._pair(backend, pair)

    @property
    def usual(self) -> list[Figures]:
        """What was measured of each backend by itself with the usual threads."""
        pair = self.scope.usual
        return [one for one in self.figures if (one.threads, one.spin) == pair and not one.busy and one.decode]

    @property
    def fastest(self) -> str | None:
        """The backend that writes fastest with the usual threads; None when none could be measured."""
        best = max(self.usual, key=lambda one: one.decode or 0.0, default=None)
        return best.backend if best else None

    def profiles(self) -> list[Profile]:
        """What was measured, to be remembered; all of one run have its beginning as their moment."""
        return [self._profile(one) for one in self.figures if one.decode]

    # One load each

    def _whole(self, backend: str) -> None:
        running, load_s = self._load(backend, self.scope.usual)
        questions = self._questions(running)
        answer, prompt = questions.answer(), questions.prompt()
        memory = held_memory(running.pid) if running.pid else (None, None)
        self._require_same(running)
        figures = self._of(running, busy=False)
        figures.load_s.append(load_s)
        figures.take_answer(answer)
        figures.take_prompt(prompt)
        figures.take_memory(*memory)

    def _pair(self, backend: str, pair: Pair) -> None:
        self._tell(f"{backend}: {named(pair)}, alone and beside a busy process")
        running, _ = self._load(backend, pair)
        questions = self._questions(running)
        self._answers(running, questions, busy=False)
        with burning():
            self._answers(running, questions, busy=True)

    def _answers(self, running: Running, questions: Questions, *, busy: bool) -> None:
        """Time answers, fewer of those that take long."""
        effort, start_s = self.scope.effort, time.monotonic()
        for _ in range(effort.runs):
            timing = questions.answer(busy=busy)
            self._require_same(running)
            self._of(running, busy=busy).take_answer(timing)
            if time.monotonic() - start_s > effort.busy_s:
                return

    def _load(self, backend: str, pair: Pair) -> tuple[Running, float]:
        self.rig.unload()  # else the load would be timed with the end of the worker before
        start_s = time.monotonic()
        self.rig.load(evolve(self.scope.request, backend=backend, threads=pair[0], spin=pair[1]))
        load_s, running = time.monotonic() - start_s, self.rig.running()
        if running is None:
            raise _disturbed()
        return running, load_s

    def _questions(self, running: Running) -> Questions:
        questions = Questions(self.rig, self.scope.effort.within(running.context_length))
        questions.warm_up()
        return questions

    def _require_same(self, running: Running) -> None:
        now = self.rig.running()
        if now is None or now.generation != running.generation:
            raise _disturbed()

    def _of(self, running: Running, *, busy: bool) -> Figures:
        key = (running.backend, running.threads, running.spin, busy)
        for one in self.figures:
            if (one.backend, one.threads, one.spin, one.busy) == key:
                return one
        figures = Figures(
            backend=running.backend,
            threads=running.threads,
            spin=running.spin,
            busy=busy,
            context_length=running.context_length,
            parallel=running.parallel,
            options=dict(running.options),
        )
        self.figures.append(figures)
        return figures

    def _profile(self, one: Figures) -> Profile:
        return Profile(
            model_id=self.scope.model_id,
            model_bytes=self.scope.model_bytes,
            engine=self.scope.engines.get(one.backend, ""),
            machine=self.scope.machine,
            measured=self.begun,
            **one.medians(),
        )

    def _tell(self, label: str) -> None:
        self._done += 1
        self.on_step(Step(label=label, number=self._done, total=self.scope.steps))


@contextlib.contextmanager
def _noting(failures: dict[str, str], name: str) -> Iterator[None]:
    """Note why something could not be measured, and go on; what concerns all of it goes on upwards."""
    try:
        yield
    except (ConflictError, ShuttingDownError, RequestCancelledError):
        raise
    except UMLError as error:
        failures[name] = error.message


def _disturbed() -> ConflictError:
    return ConflictError(
        "somebody else had another model loaded meanwhile, so this can't be measured now; try again when the gateway "
        "is not used"
    )
