"""What to do after a crash: start again, and when; give up; or blame a request."""

from __future__ import annotations

import random
import signal
from collections import deque
from collections.abc import Iterable

from attrs import frozen

from uml_core.errors import ModelFailedError, RequestCrashedWorkerError, UMLError, WorkerCrashedError
from uml_core.types import WorkerExit

BLAMING = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
"""Ends that a request can bring about. Never KILL: that one comes from outside."""

FIRST_DELAY_S, LONGEST_DELAY_S, JITTER = 0.5, 30.0, 0.2
WINDOW_S = 60.0
POISONED_S = 600.0
COOL_S, LONGEST_COOL_S = 10.0, 300.0
REPLAYS = 3


@frozen
class Failure:
    """Why a model stays down for requests, and until when; None: until somebody loads it."""

    error: UMLError
    until_s: float | None
    count: int = 1


class Recovery:
    """Remembers crashes and failed loads. Times are the loop's."""

    def __init__(self, *, restarts: int) -> None:
        """Begin with nothing remembered.

        :param restarts: how many within a minute, with no request served between the crashes
        """
        self.suspects: set[bytes] = set()
        self.count = 0
        self._restarts = restarts
        self._crashes: deque[float] = deque()
        self._in_a_row = 0
        self._blamed: frozenset[bytes] = frozenset()
        self._poisoned: dict[bytes, float] = {}
        self._failures: dict[str, Failure] = {}

    def served(self, fingerprint: bytes | None) -> None:
        """A request had its answer: the worker works, and that request is innocent."""
        self._crashes.clear()
        self._in_a_row = 0
        if fingerprint is not None:
            self.suspects.discard(fingerprint)
            self._blamed -= {fingerprint}

    def crashed(self, ended: WorkerExit, inside: Iterable[bytes], now_s: float) -> float | None:
        """Note a crash; the seconds until the restart, None when it is one too many.

        :param inside: the fingerprints of the requests that the worker was answering
        """
        self.count += 1
        self._blame(ended, frozenset(inside), now_s)
        self._crashes.append(now_s)
        while self._crashes and self._crashes[0] < now_s - WINDOW_S:
            self._crashes.popleft()
        if len(self._crashes) > self._restarts:
            return None
        self._in_a_row += 1
        doubled = 2.0 ** min(self._in_a_row - 1, 10)
        return min(FIRST_DELAY_S * doubled, LONGEST_DELAY_S) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311

    def _blame(self, ended: WorkerExit, inside: frozenset[bytes], now_s: float) -> None:
        """After a second such crash those that both had in common are tried one at a time; alone there is no excuse."""
        if ended.signal not in BLAMING or ended.hung or ended.intended or not inside:
            return
        alone = len(inside) == 1 and inside <= self.suspects
        if alone:
            self.suspects -= inside
            self._poisoned.update(dict.fromkeys(inside, now_s + POISONED_S))
            self._blamed = frozenset()
        else:
            self.suspects |= inside & self._blamed
            self._blamed = inside

    def refuse(self, model: str, fingerprint: bytes | None, attempt: int, now_s: float) -> UMLError | None:
        """Why a request for *model* is not let in, if there is a reason."""
        if fingerprint is not None and self._poisoned.get(fingerprint, 0.0) > now_s:
            return RequestCrashedWorkerError(
                f"this request makes the engine of '{model}' crash: it did so again and again, the last time alone; "
                "change it, or use another backend (`uml load MODEL --backend NAME`)"
            )
        if attempt > REPLAYS + 1:
            return WorkerCrashedError(
                f"the worker of '{model}' died {attempt - 1} times over this request; `uml logs` has its last words",
                retry_after_s=5,
            )
        failure = self._failures.get(model)
        if failure is None or (failure.until_s is not None and failure.until_s <= now_s):
            return None
        return failure.error

    def gave_up(self, model: str, cause: UMLError) -> ModelFailedError:
        """*model* stays down until somebody loads it."""
        error = ModelFailedError(
            f"model '{model}' stays unloaded, for its worker ended again and again: {cause.message}; "
            f"load it again with `uml load {model}`",
            detail=cause.detail,
        )
        self._failures[model] = Failure(error, None)
        return error

    def load_failed(self, model: str, error: UMLError, now_s: float) -> None:
        """Requests may not try that load again at once: each try costs the model that works."""
        before = self._failures.get(model)
        count = before.count + 1 if before else 1
        wait_s = LONGEST_COOL_S if error.permanent else min(COOL_S * 2 ** (count - 1), LONGEST_COOL_S)
        self._failures[model] = Failure(error, now_s + wait_s, count)

    def loaded(self, *models: str) -> None:
        """Somebody asked for it again, or it is loaded: what was is forgotten."""
        for model in models:
            self._failures.pop(model, None)

    def forget_crashes(self) -> None:
        """Another model is in the slot."""
        self._crashes.clear()
        self._in_a_row = 0
        self._blamed = frozenset()
        self.count = 0
