"""The one task that owns all lifecycle state.

Everybody else sends it a message and waits for the reply; nobody reads state to decide a change. One job at a time
works on the slot in a task of its own, so that the owner always answers, also while a model loads for minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, assert_never

from uml_core.errors import ShuttingDownError, TaskNotSupportedError, UMLError, WorkerCrashedError
from uml_core.settings import Settings
from uml_core.supervisor.messages import (
    Acquire,
    Drain,
    Exited,
    Finished,
    Job,
    Lease,
    Load,
    Message,
    Release,
    Stop,
    Unload,
)
from uml_core.supervisor.slot import Slot
from uml_core.types import LoadRequest, Plan, SwitchState, WorkerState

if TYPE_CHECKING:
    from uml_core.planning import Planner

PLAN_S = 60.0
READY = frozenset({WorkerState.READY, WorkerState.BUSY})
log = logging.getLogger(__name__)


class Owner:
    """The state of the slot and the queue of jobs."""

    def __init__(self, slot: Slot, *, planner: Planner, settings: Settings) -> None:
        self.slot = slot
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.leases = 0
        self.stopping = False
        self.closed = False
        self._planner = planner
        self._settings = settings
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._work: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._names: set[str] = set()

    async def run(self) -> None:
        """Take messages until told to stop and the last job has ended."""
        while not (self.stopping and self._running is None):
            self._handle(await self.inbox.get())
            self._start_next()
        while not self.inbox.empty():  # whoever asks from here on sees `closed`
            self._handle(self.inbox.get_nowait())
        self.closed = True

    def _handle(self, message: Message) -> None:
        match message:
            case Acquire():
                self._on_acquire(message)
            case Release(generation):
                self._on_release(generation)
            case Load():
                self._on_load(message)
            case Unload():
                self._on_unload(message)
            case Exited(generation):
                self._on_exited(generation)
            case Drain(reply):
                self._on_drain(reply)
            case Finished(job, error):
                self._on_finished(job, error)
            case Stop():
                self._on_stop()
            case _:
                assert_never(message)

    # Requests

    def _on_acquire(self, acquire: Acquire) -> None:
        if acquire.reply.done():  # the client has left
            return
        if self.stopping:
            acquire.reply.set_exception(going_down())
        elif self._serves(acquire.request) and self._drained is None:
            self._grant(acquire)
        else:
            self._job_for(acquire.request, reason="a request needs it").acquires.append(acquire)

    def _serves(self, request: LoadRequest) -> bool:
        plan = self.slot.plan
        return plan is not None and self.slot.state in READY and request.model in self._names

    def _job_for(self, request: LoadRequest, *, reason: str) -> Job:
        """The job that will load it: the running one, a queued one, or a new one."""
        for job in (self._running, *self._queue):
            if job and job.request and (job.request == request or job.leads_to(request)):
                return job
        return self._enqueue(Job(request, reason=reason))

    def _grant(self, acquire: Acquire) -> None:
        plan, worker = self.slot.plan, self.slot.worker
        if acquire.reply.done() or plan is None or worker is None:
            return
        if acquire.task not in plan.tasks:
            can = ", ".join(plan.tasks)
            sentence = f"model '{plan.model_id}' can't do {acquire.task}; it can do {can}"
            acquire.reply.set_exception(TaskNotSupportedError(sentence))
            return
        self.leases += 1
        if self.leases == 1:
            self.slot.move(WorkerState.BUSY)
        acquire.reply.set_result(Lease(self.slot.generation, worker.client))

    def _on_release(self, generation: int) -> None:
        if generation != self.slot.generation or self.leases == 0:
            return  # its worker is gone already
        self.leases -= 1
        if self.leases:
            return
        if self.slot.state is WorkerState.BUSY:
            self.slot.move(WorkerState.READY)
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    # Jobs

    def _on_load(self, load: Load) -> None:
        if self.stopping:
            load.reply.set_exception(going_down())
            return
        job = next((job for job in (self._running, *self._queue) if job and job.joins(load)), None)
        if job is None:
            job = self._enqueue(Job(load.request, reason="a load was asked for", allow_path=load.allow_path))
        job.loads.append(load.reply)

    def _on_unload(self, unload: Unload) -> None:
        if self.stopping:
            unload.reply.set_exception(going_down())
            return
        self._enqueue(Job(None, reason="unload was asked for", unloads=[unload.reply]))

    def _enqueue(self, job: Job) -> Job:
        self._queue.append(job)
        return job

    def _start_next(self) -> None:
        if self._running is None and self._queue:
            self._running = job = self._queue.popleft()
            self._work = asyncio.create_task(self._perform(job), name=f"job: {job.reason}")

    async def _perform(self, job: Job) -> None:
        error: BaseException | None = None
        try:
            await self._switch(job)
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001  # it is told to who waits
            error = raised
        self.inbox.put_nowait(Finished(job, error))

    async def _switch(self, job: Job) -> None:
        """Check first, so that what is loaded stays untouched when it can't be done; then evict, then start."""
        if job.request is not None:
            plan = await asyncio.wait_for(asyncio.to_thread(self._plan, job), PLAN_S)
            job.plan = plan
            if self._has(plan, job):
                return
        job.state = SwitchState.EVICTING
        await self._evict(job)
        if job.plan is not None:
            job.state = SwitchState.STARTING
            await self.slot.start(job.plan, on_exit=lambda generation: self.inbox.put_nowait(Exited(generation)))

    def _plan(self, job: Job) -> Plan:
        """Decide in a thread; the memory of what the switch itself will end counts as free."""
        assert job.request is not None
        loaded = self.slot.plan
        freed_bytes = loaded.model.size_bytes if loaded else 0
        return self._planner.plan(job.request, allow_path=job.allow_path, freed_bytes=freed_bytes)

    def _has(self, plan: Plan, job: Job) -> bool:
        """Whether the slot serves that plan already; a request by name takes the options that are there."""
        loaded = self.slot.plan
        if loaded is None or self.slot.state not in READY or self._drained is not None:
            return False
        if job.names_only:
            return loaded.model_id == plan.model_id
        return loaded.loads_same(plan)

    async def _evict(self, job: Job) -> None:
        if self.slot.plan is None or job.generation not in {None, self.slot.generation}:
            return
        job.unloaded = self.slot.plan.model_id
        if self.slot.state in READY:
            reply: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.inbox.put_nowait(Drain(reply))
            await asyncio.wait([reply], timeout=self._settings.supervisor.drain_timeout_s)
        await self.slot.end(job.reason)

    def _on_drain(self, reply: asyncio.Future[None]) -> None:
        """Grant no more leases; the reply comes with the last one's return."""
        self._drained = reply
        self.slot.move(WorkerState.DRAINING)
        if self.leases == 0 and not reply.done():
            reply.set_result(None)

    def _on_finished(self, job: Job, error: BaseException | None) -> None:
        self._running = self._work = self._drained = None
        if self.slot.plan is None or job.state is SwitchState.STARTING:
            self.leases = 0  # those of the earlier generation end with their streams
            self._names = {self.slot.plan.model_id} if self.slot.plan else set()
        if error is None and job.request is not None:
            self._names.add(job.request.model)
        job.state = SwitchState.FAILED if error else SwitchState.COMMITTED
        if error is None:
            self._settle(job)
        else:
            self._fail(job, error)

    def _settle(self, job: Job) -> None:
        for unload in job.unloads:
            if not unload.done():
                unload.set_result(job.unloaded)
        for load in job.loads:
            if not load.done() and job.plan is not None:
                load.set_result(job.plan)
        for acquire in job.acquires:
            if self.slot.state in READY:
                self._grant(acquire)
            elif not acquire.reply.done():
                acquire.reply.set_exception(WorkerCrashedError("the worker ended right after it had loaded the model"))

    def _fail(self, job: Job, error: BaseException) -> None:
        if not isinstance(error, UMLError | asyncio.CancelledError):
            log.error("job failed: %s", job.reason, exc_info=error)
        job.refuse(going_down() if isinstance(error, asyncio.CancelledError) else error)
        if not job.waiting() and isinstance(error, UMLError):
            log.warning("nobody waits for the job that failed: %s", error.message)

    # Ends

    def _on_exited(self, generation: int) -> None:
        """An end that nobody asked for: clean up, so that the next request finds room."""
        if generation != self.slot.generation or self.slot.state not in READY | {WorkerState.DRAINING}:
            return
        log.error("the worker of generation %d ended; last words: %s", generation, " | ".join(self.slot.last_words()))
        self.leases = 0
        self.slot.move(WorkerState.VERIFYING, "the worker ended by itself")
        if self._drained and not self._drained.done():
            self._drained.set_result(None)
        self._queue.appendleft(Job(None, reason="the worker ended by itself", generation=generation))

    def _on_stop(self) -> None:
        """Stop the running job, refuse the queued ones, and empty the slot."""
        self.stopping = True
        for job in self._queue:
            job.refuse(going_down())
        self._queue.clear()
        if self._running and self._running.request is not None and self._work:
            self._work.cancel()
        self._queue.append(Job(None, reason="the gateway goes down"))


def going_down() -> ShuttingDownError:
    return ShuttingDownError("the gateway is going down; start it again with `uml serve`")
