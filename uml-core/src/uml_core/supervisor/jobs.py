"""The jobs: the one that runs, those that wait, and the last ones that have ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from uml_core.errors import NotFoundError, SupersededError
from uml_core.supervisor.job import Job
from uml_core.types import LoadRequest, SwitchState

REMEMBERED = 100


class Jobs:
    """At most one job runs, and at most one explicit load waits: a newer one takes its place."""

    def __init__(self) -> None:
        self.running: Job | None = None
        self._queue: deque[Job] = deque()
        self._ended: deque[Job] = deque(maxlen=REMEMBERED)

    def __iter__(self) -> Iterator[Job]:
        """The running one, then the queued ones in order."""
        if self.running:
            yield self.running
        yield from self._queue

    @property
    def all(self) -> list[Job]:
        """Those too that have ended, the newest first of these."""
        return [*self, *self._ended]

    @property
    def queued(self) -> int:
        return len(self._queue)

    def find(self, job_id: str) -> Job:
        """The job of that id.

        :raises NotFoundError: there is none, or it ended too long ago
        """
        for job in self.all:
            if job.id == job_id:
                return job
        raise NotFoundError(f"there is no job '{job_id}' (the last {REMEMBERED} are kept); `uml jobs` lists them")

    def position(self, job: Job) -> int:
        """0 for the running one and for those that have ended, else the place in the queue."""
        return self._queue.index(job) + 1 if job in self._queue else 0

    def joinable(self, request: LoadRequest, *, allow_path: bool) -> Job | None:
        """The job that an explicit load of *request* may share."""
        return next((job for job in self if job.joins(request, allow_path=allow_path)), None)

    def add(self, job: Job, *, first: bool = False) -> list[Job]:
        """Put it into the queue; the queued explicit loads that it takes the place of are given back, ended."""
        replaced = []
        if job.kind == "load" and job.explicit:
            replaced = [other for other in self._queue if other.kind == "load" and other.explicit]
        for other in replaced:
            self._queue.remove(other)
            model = job.request.model if job.request else "another model"
            other.cause = SupersededError(f"a newer load, of '{model}', took the place of this one in the queue")
        if first:
            self._queue.appendleft(job)
        else:
            self._queue.append(job)
        return replaced

    def begin(self) -> Job | None:
        """The next one begins, if there is one; nothing may run."""
        assert self.running is None
        self.running = self._queue.popleft() if self._queue else None
        return self.running

    def drop(self, job: Job) -> bool:
        """Take a job out of the queue; False if it isn't there."""
        if job not in self._queue:
            return False
        self._queue.remove(job)
        return True

    def clear(self) -> list[Job]:
        """Take all out of the queue."""
        queued = list(self._queue)
        self._queue.clear()
        return queued

    def end(self, job: Job, state: SwitchState) -> None:
        """It has ended so."""
        if self.running is job:
            self.running = None
        job.finish(state)
        self._ended.appendleft(job)
