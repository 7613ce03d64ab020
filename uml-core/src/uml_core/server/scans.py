"""Scans of the models: one at a time, in a thread of its own, seen by all who want to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from uml_core.errors import ConflictError, InternalServerError, RequestCancelledError, ShuttingDownError, UMLError
from uml_core.registry.scan import ScanProgress, ScanReport
from uml_core.server.scan_job import ScanJob, ScanState, scan_view

if TYPE_CHECKING:
    from uml_core.supervisor.events import Events

REMEMBERED = 20
TOLD_S = 0.1
"""Between two looks at how far a scan is."""
AGAIN_S = 30.0
"""A listing that leaves models unread has them scanned, but not sooner after the last scan than this."""
LAST_MODEL_S = 1.0
"""How long a scan that was cancelled may take for the model that it is at."""
log = logging.getLogger(__name__)


class Scannable(Protocol):
    """What is asked of :class:`uml_core.registry.Registry`."""

    def scan(
        self, progress: Callable[[ScanProgress], object] = ..., *, stopped: Callable[[], bool] = ...
    ) -> ScanReport: ...


class Scans:
    """Begins scans, tells of them as events of the kind ``scan``, and remembers the last that have ended.

    The thread is nobody's to wait for: a disk that hangs holds up neither the loop nor the end of the gateway.
    ``running`` is the scan that is under way. ``on_end`` is called whenever one has ended, whatever it found.
    """

    def __init__(self, registry: Scannable, events: Events) -> None:
        self.running: ScanJob | None = None
        self.on_end: Callable[[], object] = lambda: None
        self._registry = registry
        self._events = events
        self._teller: asyncio.Task[None] | None = None
        self._ended: deque[ScanJob] = deque(maxlen=REMEMBERED)
        self._ended_s: float | None = None
        self._closed = False

    @property
    def all(self) -> list[ScanJob]:
        """The one that runs, and the last that have ended, newest first."""
        return [*([self.running] if self.running else []), *self._ended]

    def find(self, job_id: str) -> ScanJob | None:
        """The scan of that id, if it is remembered."""
        return next((job for job in self.all if job.id == job_id), None)

    def begin(self, reason: str) -> ScanJob:
        """Scan, or join the scan that is under way; returns at once.

        :raises ShuttingDownError: the gateway is going down
        """
        if self._closed:
            raise ShuttingDownError
        running = self.running
        if running is not None and running.cancelled:  # its thread has not heard of it yet
            self._end(running, ScanState.CANCELLED, cause=_cancelled())
        return self.running or self._begin(ScanJob(reason))

    def begin_if_due(self) -> None:
        """Scan because a listing found models that nobody has read yet, unless that was just done."""
        recently = self._ended_s is not None and monotonic() < self._ended_s + AGAIN_S
        if not (self._closed or self.running or recently):
            self.begin("a listing found models that were not read yet")

    async def cancel(self, job: ScanJob) -> None:
        """End a scan for all who wait for it; what it has read until now is kept.

        :raises ConflictError: it has ended already
        """
        if job.ended:
            raise ConflictError(f"job '{job.id}' has ended already: it {job.state}")
        job.cancelled = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_MODEL_S):
                await job.over.wait()
        if not job.ended:
            self._end(job, ScanState.CANCELLED, cause=_cancelled())

    def close(self) -> None:
        """End what runs, at once, and begin no more."""
        self._closed = True
        if self.running is not None:
            self._end(self.running, ScanState.CANCELLED, cause=ShuttingDownError())

    def _begin(self, job: ScanJob) -> ScanJob:
        self.running = job
        self._tell(job)
        loop = asyncio.get_running_loop()
        self._teller = loop.create_task(self._follow(job), name="how far the scan is")
        threading.Thread(target=self._scan, args=(job, loop), name="scan of the models", daemon=True).start()
        return job

    def _scan(self, job: ScanJob, loop: asyncio.AbstractEventLoop) -> None:
        """The thread: read, and hand the end to the loop, if there still is one."""

        def progress(at: ScanProgress) -> None:
            job.progress = at

        outcome: ScanReport | Exception
        try:
            outcome = self._registry.scan(progress, stopped=lambda: job.cancelled)
        except Exception as error:
            log.exception("the scan of the models failed")
            outcome = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._take, job, outcome)

    def _take(self, job: ScanJob, outcome: ScanReport | Exception) -> None:
        if job.ended:  # it was cancelled, and nobody waited for its thread
            return
        if not isinstance(outcome, ScanReport):
            self._end(job, ScanState.FAILED, cause=_cause(outcome))
        elif outcome.cancelled:
            self._end(job, ScanState.CANCELLED, report=outcome, cause=_cancelled())
        else:
            self._end(job, ScanState.COMMITTED, report=outcome)

    def _end(
        self, job: ScanJob, state: ScanState, *, report: ScanReport | None = None, cause: UMLError | None = None
    ) -> None:
        job.cancelled = True
        if self._teller is not None:
            self._teller.cancel()
        self.running, self._ended_s = None, monotonic()
        job.finish(state, report=report, cause=cause)
        self._ended.appendleft(job)
        self.on_end()
        self._tell(job)

    async def _follow(self, job: ScanJob) -> None:
        """Tell how far it is, ten times a second at most, and only what is new."""
        seen: ScanProgress | None = None
        while not job.ended:
            await asyncio.sleep(TOLD_S)
            if job.progress is not seen:
                seen = job.progress
                self._tell(job)

    def _tell(self, job: ScanJob) -> None:
        self._events.publish("scan", scan_view(job))


def _cancelled() -> UMLError:
    return RequestCancelledError("the scan of the models was cancelled; what it had read is kept")


def _cause(error: Exception) -> UMLError:
    if isinstance(error, UMLError):
        return error
    return InternalServerError("the models could not be scanned; `uml logs` has the reason")
