"""The one task that owns all lifecycle state.

Everybody else sends it a message and waits for the reply; nobody reads state to decide a change. One job at a time
works on the slot in a task of its own, so that the owner always answers, also while a model loads for minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from statistics import median
from typing import TYPE_CHECKING, Any, assert_never

from uml_core.errors import (
    ConflictError,
    InternalServerError,
    NotFoundError,
    RequestCancelledError,
    ShuttingDownError,
    TaskNotSupportedError,
    UMLError,
    WorkerCrashedError,
    WorkerTimeoutError,
)
from uml_core.settings import Settings
from uml_core.supervisor.admission import Admission
from uml_core.supervisor.announcer import Announcer, load_row
from uml_core.supervisor.job import Job
from uml_core.supervisor.jobs import Jobs
from uml_core.supervisor.messages import (
    Acquire,
    Cancel,
    Drain,
    Exited,
    Finished,
    Hung,
    Lease,
    Load,
    Look,
    Message,
    Recycle,
    Return,
    Revoke,
    Stop,
    Undrain,
    Unload,
)
from uml_core.supervisor.progress import progress_of
from uml_core.supervisor.recovery import Recovery
from uml_core.supervisor.slot import Slot
from uml_core.supervisor.steps import Step
from uml_core.supervisor.switch import SERVING, Switch
from uml_core.supervisor.watch import Watch
from uml_core.types import JobStatus, LoadRequest, Plan, SwitchState, WorkerExit, WorkerState

if TYPE_CHECKING:
    from uml_core.planning import Planner

VERIFY_AGAIN_S = 5.0
log = logging.getLogger(__name__)


class Owner:
    """The state of the slot, the requests that want it, and the jobs."""

    def __init__(self, slot: Slot, *, planner: Planner, settings: Settings, announcer: Announcer, at: Step) -> None:
        self.slot = slot
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.jobs = Jobs()
        self.admission = Admission(settings.supervisor)
        self.recovery = Recovery(restarts=settings.supervisor.restarts)
        self.watch: Watch | None = None
        self.exits: dict[int, WorkerExit] = {}
        self.stopping = False
        self.closed = False
        self._settings = settings.supervisor
        self._announcer = announcer
        self._switch = Switch(
            slot,
            planner=planner,
            settings=settings.supervisor,
            at=at,
            send=self.inbox.put_nowait,
            moved=self._move,
            on_exit=lambda generation: self.inbox.put_nowait(Exited(generation)),
        )
        self._work: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._served: Plan | None = None
        self._generation = -1  # of what is served
        self._down: Plan | None = None  # what was served until it crashed
        self._names: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._errands: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Take messages until told to stop and the last job has ended."""
        while not (self.stopping and self.jobs.running is None and not self.jobs.queued):
            self._handle(await self.inbox.get())
            self._dispatch()
        while not self.inbox.empty():  # whoever asks from here on sees `closed`
            self._handle(self.inbox.get_nowait())
        self.closed = True
        for errand in self._errands:
            errand.cancel()

    def _handle(self, message: Message) -> None:  # noqa: C901 - one line a message
        match message:
            case Acquire():
                self._on_acquire(message)
            case Return():
                self._on_return(message)
            case Load() | Unload() | Cancel():
                self._on_order(message)
            case Exited(generation):
                self._on_exited(generation)
            case Hung(generation, reason):
                self._on_hung(generation, reason)
            case Recycle(generation, reason):
                self._on_recycle(generation, reason)
            case Drain(reply):
                self._on_drain(reply)
            case Revoke(error):
                self.admission.revoke(error)
            case Undrain():
                self._on_undrain()
            case Finished(job, error):
                self._on_finished(job, error)
            case Look():
                self._timer = None
            case Stop():
                self._on_stop()
            case _:
                assert_never(message)

    # Requests

    def _on_acquire(self, acquire: Acquire) -> None:
        if acquire.reply.done():  # the client has left
            return
        acquire.since_s = acquire.since_s or _now_s()
        refusal = self._why_not(acquire)
        if refusal is not None:
            acquire.reply.set_exception(refusal)
        else:
            self.admission.enter(acquire)

    def _why_not(self, acquire: Acquire) -> UMLError | None:
        if self.stopping:
            return going_down()
        if self.slot.state is WorkerState.QUARANTINED:
            return self.slot.quarantined()
        model, ticket = acquire.request.model, acquire.ticket
        refusal = self.recovery.refuse(model, ticket.fingerprint, ticket.attempt, _now_s())
        if refusal is not None or not self._serves(acquire) or self._served is None:
            return refusal
        return None if acquire.task in self._served.tasks else _cannot(self._served, acquire.task)

    def _serves(self, acquire: Acquire) -> bool:
        """Whether the model that is loaded, and stays, is the one."""
        loaded = self._served is not None and self._generation == self.slot.generation
        return loaded and self.slot.state in SERVING and acquire.request.model in self._names

    def _is_turn(self, acquire: Acquire) -> bool | None:
        """Whether it may have a lease now; None when nobody behind it may either."""
        if not self._serves(acquire):
            return False
        if not self.admission.has_room() or (self.slot.worker and self.slot.worker.hung):
            return None
        leases = self.admission.leases.values()
        if any(lease.ticket.fingerprint in self.recovery.suspects for lease in leases):
            return None  # who is under suspicion is alone in the worker
        if acquire.ticket.fingerprint in self.recovery.suspects and leases:
            return None
        return True

    def _grant(self, acquire: Acquire) -> None:
        worker = self.slot.worker
        assert worker is not None
        if self._served is not None and acquire.task not in self._served.tasks:
            acquire.reply.set_exception(_cannot(self._served, acquire.task))
            return
        generation = self.slot.generation
        self.admission.grant(
            acquire, lambda number, waited_s: Lease(number, generation, worker.client, waited_s), _now_s()
        )
        if self.slot.state is WorkerState.READY:
            self.slot.move(WorkerState.BUSY)

    def _on_return(self, back: Return) -> None:
        acquire = self.admission.give_back(back.number, broken=back.broken)
        if acquire is None:
            return  # its worker is gone already
        if back.served:
            self.recovery.served(acquire.ticket.fingerprint)
        if self.watch:
            self.watch.requests += 1
        if self.admission.leases:
            return
        if self.slot.state is WorkerState.BUSY:
            self.slot.move(WorkerState.READY)
        self._tell_drained()

    # What comes next

    def _dispatch(self) -> None:
        """After each message: give leases to whose turn it is, and begin the next job when nothing runs."""
        if self.jobs.running is None and not self.stopping:
            self._look_at_queue()
        if self._drained is None:
            for acquire in self.admission.take(self._is_turn):
                self._grant(acquire)
        if self.jobs.running is None and (job := self._next()):
            self._begin(job)

    def _look_at_queue(self) -> None:
        """Requests for a model that isn't loaded bring about its load: at once when nobody is in the way."""
        if self.jobs.queued or self.slot.state is WorkerState.QUARANTINED:
            return
        other = self.admission.oldest(lambda acquire: not self._serves(acquire))
        if other is None:
            return
        now_s = _now_s()
        busy = self.admission.leases or self.admission.oldest(self._serves)
        if busy and not self.admission.is_due(other, now_s):
            self._look_again(other.since_s + self._settings.fair_wait_s - now_s)
            return
        request = LoadRequest(model=other.request.model) if other.request.model else other.request
        self.jobs.add(Job("load", request=request, reason="a request needs it", explicit=False))

    def _look_again(self, wait_s: float) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(wait_s, 0.0) + 0.001, self.inbox.put_nowait, Look())

    def _next(self) -> Job | None:
        while job := self.jobs.begin():
            stale = job.kind == "restart" and self._down is not job.plan
            stale |= job.kind == "recycle" and job.generation != self.slot.generation
            if not stale:
                return job
            job.cause = RequestCancelledError("something else has taken its place meanwhile")
            self._end(job, SwitchState.CANCELLED)
        return None

    def _begin(self, job: Job) -> None:
        if job.kind == "load" and self.slot.plan is None:
            job.previous = self._down  # what would be restarted now is what to go back to
        self.slot.job_id = job.id
        self._announcer.storage.put("loads", self._row(job))
        self._move(job, SwitchState.CHECKING)
        self._work = asyncio.create_task(self._perform(job), name=f"job: {job.reason}")
        self._errand(self._tick(job))

    async def _perform(self, job: Job) -> None:
        error: BaseException | None = None
        try:
            await self._switch.perform(job)
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001  # it is told to who waits
            error = raised
        self.inbox.put_nowait(Finished(job, error))

    async def _tick(self, job: Job) -> None:
        """Publish how far the job is, and remember how long earlier ones of its kind took."""
        seen: object = None
        while not job.is_over:
            if job.plan is not None and job.expected_s is None:
                job.expected_s = 0.0
                with contextlib.suppress(UMLError):
                    seconds = await self._announcer.storage.load_seconds(job.plan.model_id, job.plan.backend)
                    job.expected_s = median(seconds) if seconds else 0.0
            status = self.status(job)
            shown = status.progress and (status.progress.stage, status.progress.part)
            if shown != seen:
                seen = shown
                self._announcer.job(status)
            await asyncio.sleep(0.25)

    # Jobs

    def _on_order(self, order: Load | Unload | Cancel) -> None:
        if order.reply.done():
            return
        if self.stopping:
            order.reply.set_exception(going_down())
        elif isinstance(order, Load):
            self._on_load(order)
        elif isinstance(order, Unload):
            self._on_unload(order)
        else:
            self._on_cancel(order)

    def _on_load(self, load: Load) -> None:
        self.recovery.loaded(load.request.model)
        job = self.jobs.joinable(load.request, allow_path=load.allow_path)
        if job is None:
            job = Job("load", request=load.request, reason="a load was asked for", allow_path=load.allow_path)
            self._cut_short_restart(job)
            for replaced in self.jobs.add(job):
                self._end(replaced, SwitchState.CANCELLED)
            self._announcer.job(self.status(job))
        job.explicit = True
        load.reply.set_result(job)

    def _on_unload(self, unload: Unload) -> None:
        job = next((job for job in self.jobs if job.kind == "unload" and job.generation is None), None)
        if job is None:
            job = Job("unload", reason="unload was asked for")
            self._cut_short_restart(job)
            self.jobs.add(job)
            self._announcer.job(self.status(job))
        unload.reply.set_result(job)

    def _cut_short_restart(self, job: Job) -> None:
        """A restart that still waits gives way to what somebody asks for; the same model only needs not wait."""
        running = self.jobs.running
        if running is None or running.kind != "restart" or running.stage != "waiting" or not self._work:
            return
        if job.request and running.plan and job.request.model == running.plan.model_id:
            running.hurry.set()
        else:
            running.cancelled = RequestCancelledError("something else was asked for before it was restarted")
            running.quiet = True
            self._work.cancel()

    def _on_cancel(self, cancel: Cancel) -> None:
        try:
            job = self.jobs.find(cancel.job_id)
        except NotFoundError as error:
            cancel.reply.set_exception(error)
            return
        if job.is_over:
            cancel.reply.set_exception(ConflictError(f"job '{job.id}' has ended already ({job.state})"))
            return
        if job.cancelled is None and job.state is not SwitchState.ROLLING_BACK:
            what = f"the load of '{job.request.model}'" if job.request else f"the {job.kind}"
            job.cancelled = RequestCancelledError(f"{what} was cancelled", retry_after_s=1)
            if self.jobs.drop(job):
                job.cause = job.cancelled
                self._end(job, SwitchState.CANCELLED)
            elif self._work:
                self._work.cancel()
        cancel.reply.set_result(job)

    def _move(self, job: Job, state: SwitchState) -> None:
        previous, job.state = job.state, state
        self._announcer.switch(self.status(job), previous=str(previous), at=_wall())

    def _end(self, job: Job, state: SwitchState) -> None:
        previous = job.state
        self.jobs.end(job, state)
        self._announcer.switch(self.status(job), previous=str(previous), at=_wall())
        self._announcer.storage.put("loads", self._row(job))

    def _row(self, job: Job) -> dict[str, Any]:
        worker = self.slot.worker
        row = load_row(self.status(job), run_id=self._announcer.storage.run_id, seconds=job.phases)
        row |= {"generation": self.slot.generation, "predicted_bytes": job.plan.model.size_bytes if job.plan else None}
        return row | {"measured_bytes": (worker.peak_bytes or None) if worker else None}

    def status(self, job: Job) -> JobStatus:
        """A copy of the job for others."""
        job.waiting = self._who_wait(job)
        return job.status(position=self.jobs.position(job), progress=progress_of(job, self.slot))

    def _who_wait(self, job: Job) -> int:
        return sum(1 for waiting in self.admission.look(0.0) if job.leads_to(waiting.model)) if not job.is_over else 0

    def _on_drain(self, reply: asyncio.Future[None]) -> None:
        """Grant no more leases; the reply comes with the last one's return."""
        if reply.done() or self.slot.state not in SERVING:
            return
        self._drained = reply
        self.slot.move(WorkerState.DRAINING)
        if not self.admission.leases:
            self._tell_drained()

    def _tell_drained(self) -> None:
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    def _on_undrain(self) -> None:
        self._drained = None
        if self.slot.state is WorkerState.DRAINING:
            self.slot.move(WorkerState.BUSY if self.admission.leases else WorkerState.READY, "the switch was given up")

    def _on_finished(self, job: Job, error: BaseException | None) -> None:
        self._work = self._drained = None
        self.slot.job_id = None
        if error is not None:
            job.cause = self._cause_of(job, error)
        state = _end_of(job)
        self._settle(job)
        self._end(job, state)
        if job.cause:
            self._fail(job, job.cause)

    def _cause_of(self, job: Job, error: BaseException) -> UMLError:
        if isinstance(error, asyncio.CancelledError) or job.cancelled:
            return job.cancelled or going_down()
        if isinstance(error, UMLError):
            return error
        log.error("job failed: %s", job.reason, exc_info=error)
        return InternalServerError(
            f"the switch failed at '{job.stage}': {str(error) or type(error).__name__}; `uml logs` has the rest"
        )

    def _settle(self, job: Job) -> None:
        """What the slot serves from now on, and under which names."""
        plan = self.slot.plan if self.slot.state in SERVING | {WorkerState.DRAINING} else None
        if plan is None or self._generation != self.slot.generation or self._served is None:
            self.admission.end()  # those of the earlier generation end with their streams
            self._watch_over(plan)
            kept = self._names if plan and self._served and plan.model_id == self._served.model_id else set()
            self._names = {plan.model_id, *kept} if plan else set()
            if plan and (self._served is None or plan.model_id != self._served.model_id) and job.kind != "restart":
                self.recovery.forget_crashes()
        self._served, self._generation = plan, self.slot.generation
        if plan or (job.kind in {"load", "unload"} and job.cause is None):
            self._down = None
        if plan and job.cause is None and job.request:
            self._names.add(job.request.model)
        if plan:
            self.recovery.loaded(*self._names)
        elif self.slot.state is WorkerState.QUARANTINED:
            self.admission.refuse(lambda _: self.slot.quarantined())
            self._errand(self._verify_again())

    def _watch_over(self, plan: Plan | None) -> None:
        if self.watch:
            self.watch.stop()
            self.watch = None
        if plan and self.slot.worker:
            self.watch = Watch(
                self.slot.worker,
                settings=self._settings,
                events=self._announcer.events,
                devices=self.slot.devices,
                send=self.inbox.put_nowait,
            )
            self.watch.start()

    def _fail(self, job: Job, cause: UMLError) -> None:
        """Tell the requests that waited for it; a restart may be tried again."""
        if job.kind in {"restart", "recycle"} and job.cancelled is None and not self.stopping and job.plan:
            if self._restart(job.plan, WorkerExit(code=1, signal=None, state="loading", intended=False), [], cause):
                return
            cause = self.recovery.gave_up(job.plan.model_id, cause)
            self._down = None
        elif job.request is not None and job.previous is not None and not job.cancelled:
            self.recovery.load_failed(job.request.model, cause, _now_s())
        if job.quiet:
            return
        told = self._told(job, cause)
        self.admission.refuse(lambda acquire: told if job.leads_to(acquire.request.model) else None)

    def _told(self, job: Job, cause: UMLError) -> UMLError:
        cause.job = self.status(job)
        return cause

    # Ends

    def _on_exited(self, generation: int) -> None:
        """An end that nobody asked for: clean up, and start again."""
        worker, state = self.slot.worker, self.slot.state
        if worker is None or generation != self.slot.generation:
            return
        self.exits[generation] = worker.exit(state)
        for old in list(self.exits)[:-16]:
            del self.exits[old]
        mine = self._served is not None and self._generation == generation
        if worker.intended or not mine or state not in SERVING | {WorkerState.DRAINING}:
            return  # who started it, or is ending it, sees to it
        log.error("the worker of generation %d ended; last words: %s", generation, " | ".join(self.slot.last_words()))
        plan, inside = self._served, self.admission.end()
        self._served, self._down = None, plan
        if self.watch:
            self.watch.stop()
        self.slot.move(WorkerState.VERIFYING, "the worker ended by itself")
        self._tell_drained()
        if plan and not self._restart(plan, self.exits[generation], inside, None):
            self._errand(self._give_up(plan))

    def _restart(self, plan: Plan, ended: WorkerExit, inside: list[bytes], cause: UMLError | None) -> bool:
        """Have it started again after a while; False when that was tried often enough, or can't help."""
        delay_s = self.recovery.crashed(ended, inside, _now_s())
        if delay_s is None or (cause is not None and cause.permanent):
            return False
        self.jobs.add(
            Job(
                "restart",
                reason="the worker ended by itself",
                explicit=False,
                plan=plan,
                generation=self.slot.generation,
                delay_s=delay_s,
            ),
            first=True,
        )
        return True

    async def _give_up(self, plan: Plan) -> None:
        cause = await self.slot.diagnosed() if self.slot.worker else WorkerCrashedError("the worker ended")
        error = self.recovery.gave_up(plan.model_id, cause)
        self._down = None
        log.error("%s", error.message)
        self.admission.refuse(lambda acquire: error if acquire.request.model == plan.model_id else None)
        self.jobs.add(Job("unload", reason="it crashed too often", explicit=False, generation=self.slot.generation))
        self.inbox.put_nowait(Look())

    def _on_hung(self, generation: int, reason: str) -> None:
        worker = self.slot.worker
        if worker is None or generation != self.slot.generation or worker.process.exited.done() or worker.hung:
            return
        log.error("the worker of generation %d hangs (%s): it is dumped and ended", generation, reason)
        self.admission.revoke(
            WorkerTimeoutError(
                f"the worker of '{worker.plan.model_id}' hangs: {reason}; it is started again, so ask again",
                retry_after_s=5,
            )
        )
        self._errand(worker.abort())

    def _on_recycle(self, generation: int, reason: str) -> None:
        plan = self.slot.plan
        if generation != self.slot.generation or plan is None or self._served is None:
            return
        if not any(job.kind == "recycle" for job in self.jobs):
            self.jobs.add(Job("recycle", reason=reason, explicit=False, plan=plan, generation=generation))

    async def _verify_again(self) -> None:
        while self.slot.state is WorkerState.QUARANTINED:
            await asyncio.sleep(VERIFY_AGAIN_S)
            if self.jobs.running is None and self.slot.state is WorkerState.QUARANTINED and await self.slot.verify():
                self.inbox.put_nowait(Look())

    def _on_stop(self) -> None:
        """Stop the running job, refuse the queued ones, and empty the slot."""
        self.stopping = self._switch.stopping = True
        for job in self.jobs.clear():
            job.cause = going_down()
            self._end(job, SwitchState.CANCELLED)
        self.admission.refuse(lambda _: going_down())
        running = self.jobs.running
        if running and running.kind != "unload" and self._work:
            running.cancelled = running.cancelled or going_down()
            self._work.cancel()
        self.jobs.add(Job("unload", reason="the gateway goes down", explicit=False))

    def _errand(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _end_of(job: Job) -> SwitchState:
    if job.cause is None:
        return SwitchState.COMMITTED
    if job.cancelled:
        return SwitchState.CANCELLED
    return SwitchState.ROLLED_BACK if job.rolled_back else SwitchState.FAILED


def _cannot(plan: Plan, task: str) -> TaskNotSupportedError:
    return TaskNotSupportedError(f"model '{plan.model_id}' can't do {task}; it can do {', '.join(plan.tasks)}")


def going_down() -> ShuttingDownError:
    return ShuttingDownError("the gateway is going down; ask again when it is back", retry_after_s=5)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _wall() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()
