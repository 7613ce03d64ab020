"""The one task that owns all lifecycle state.

Everybody else sends it a message and waits for the reply; nobody reads state to decide a change. One job at a time
works on the slot in a task of its own, so that the owner always answers, also while a model loads for minutes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, assert_never

from uml_core.errors import InternalServerError, RequestCancelledError, ShuttingDownError, UMLError
from uml_core.settings import Settings
from uml_core.supervisor.aftermath import Aftermath
from uml_core.supervisor.announcer import Announcer
from uml_core.supervisor.board import Board
from uml_core.supervisor.calibration import Books
from uml_core.supervisor.job import Job
from uml_core.supervisor.jobs import Jobs
from uml_core.supervisor.messages import (
    Acquire,
    Cancel,
    Drain,
    Exited,
    Finished,
    Hung,
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
from uml_core.supervisor.orders import Orders
from uml_core.supervisor.service import Service, now_s
from uml_core.supervisor.slot import Slot
from uml_core.supervisor.steps import Step
from uml_core.supervisor.switch import Switch
from uml_core.types import LoadRequest, SwitchState, WorkerState

if TYPE_CHECKING:
    from uml_core.planning import Planner

log = logging.getLogger(__name__)


class Owner:
    """The slot, the requests that want it, and the jobs."""

    def __init__(self, slot: Slot, *, planner: Planner, settings: Settings, announcer: Announcer, at: Step) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        send = self.inbox.put_nowait
        self.closed = False
        self.jobs = Jobs()
        records, backends = planner.registry.records, planner.plugins.backends
        books = Books(records=records, storage=announcer.storage, backends=backends)
        self.service = Service(slot, settings=settings.supervisor, announcer=announcer, books=books, send=send)
        self.board = Board(self.jobs, self.service, announcer, records)
        self.aftermath = Aftermath(self.service, self.jobs, send)
        self._orders = Orders(self.jobs, self.board, self.service.recovery, self._interrupt)
        self._settings = settings.supervisor
        self._switch = Switch(
            slot,
            planner=planner,
            settings=settings.supervisor,
            at=at,
            send=send,
            moved=self.board.move,
            on_exit=lambda generation: send(Exited(generation)),
        )
        self._work: asyncio.Task[None] | None = None
        self._tale: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Take messages until told to stop and the last job has ended."""
        while not (self.service.stopping and self.jobs.running is None and not self.jobs.queued):
            self._take(await self.inbox.get())
        while not self.inbox.empty():  # whoever asks from here on sees `closed`
            self._take(self.inbox.get_nowait())
        self.closed = True
        self.aftermath.close()
        if self._timer:
            self._timer.cancel()

    def _take(self, message: Message) -> None:
        """Handle one message; a fault of ours in it is logged, and the owner lives on."""
        try:
            self._handle(message)
            self._go_on()
        except Exception as error:
            log.exception("a fault in the lifecycle, at %s", type(message).__name__)
            if isinstance(message, Acquire | Load | Unload | Cancel) and not message.reply.done():
                message.reply.set_exception(InternalServerError(f"something went wrong here: {error}; see `uml logs`"))

    def _handle(self, message: Message) -> None:  # noqa: C901 - one line a message
        match message:
            case Acquire():
                self.service.ask(message)
            case Return():
                self.service.take_back(message)
            case Load() | Unload() | Cancel():
                self._obey(message)
            case Exited():
                self.aftermath.exited(message)
            case Hung():
                self.aftermath.hung(message)
            case Recycle():
                self.aftermath.recycle(message)
            case Drain(reply):
                self.service.drain(reply)
            case Revoke(error):
                self.service.admission.revoke(error)
            case Undrain():
                self.service.undrain()
            case Finished(job, error):
                self._finish(job, error)
            case Look():
                self._timer = None
            case Stop():
                self._stop()
            case _:
                assert_never(message)

    def _obey(self, order: Load | Unload | Cancel) -> None:
        if order.reply.done():
            return
        if self.service.stopping:
            order.reply.set_exception(ShuttingDownError())
        elif isinstance(order, Load):
            self._orders.load(order)
        elif isinstance(order, Unload):
            self._orders.unload(order)
        else:
            self._orders.cancel(order)

    # What comes next

    def _go_on(self) -> None:
        """After each message: give leases to whose turn it is, and begin the next job when nothing runs."""
        if self.jobs.running is None and not self.service.stopping:
            self._look_at_queue()
        self.service.grant_all()
        if self.jobs.running is None and (job := self._next()):
            self._begin(job)

    def _look_at_queue(self) -> None:
        """Requests for a model that isn't loaded bring about its load: at once when nobody is in the way."""
        admission = self.service.admission
        if self.jobs.queued or self.aftermath.judging or self.service.slot.state is WorkerState.QUARANTINED:
            return
        other = admission.oldest(lambda acquire: not self.service.serves(acquire))
        if other is None:
            return
        busy = admission.leases or admission.oldest(self.service.serves)
        if busy and not admission.is_due(other, now_s()):
            self._look_again(other.since_s + self._settings.fair_wait_s - now_s())
            return
        request = LoadRequest(model=other.request.model)
        self.jobs.add(Job("load", request=request, reason="a request needs it", explicit=False))

    def _look_again(self, wait_s: float) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(wait_s, 0.0) + 0.001, self.inbox.put_nowait, Look())

    def _next(self) -> Job | None:
        while job := self.jobs.begin():
            stale = job.kind == "restart" and self.service.down is not job.plan
            stale |= job.kind == "recycle" and job.generation != self.service.slot.generation
            if not stale:
                return job
            job.cause = RequestCancelledError("something else has taken its place meanwhile")
            self.board.end(job, SwitchState.CANCELLED)
        return None

    def _begin(self, job: Job) -> None:
        if job.kind == "load" and self.service.slot.plan is None:
            job.previous = self.service.down  # what would be restarted now is what to go back to
        self.board.begin(job)
        self._work = asyncio.create_task(self._switch.perform(job), name=f"job: {job.reason}")
        # Not at the end of the task itself: one that is cancelled before its first step never gets there.
        self._work.add_done_callback(lambda work: self.inbox.put_nowait(Finished(job, _error_of(work))))
        self._tale = asyncio.create_task(self.board.follow(job), name=f"tale of the job: {job.reason}")

    def _interrupt(self) -> None:
        if self._work:
            self._work.cancel()

    # Ends

    def _finish(self, job: Job, error: BaseException | None) -> None:
        self._work = None
        if self._tale:
            self._tale.cancel()
        if error is not None:
            job.cause = _cause_of(job, error)
        self.service.settle(job)
        self.board.end(job, _end_of(job))
        if job.cause:
            self._tell(job, job.cause)
        if self.service.slot.state is WorkerState.QUARANTINED:
            self.aftermath.quarantined()

    def _tell(self, job: Job, cause: UMLError) -> None:
        told = self.aftermath.failed(job, cause)
        if told is not None:
            told.job = self.board.status(job)
            self.service.refuse(job, told)

    def _stop(self) -> None:
        """Stop the running job, refuse the queued ones, and empty the slot."""
        self.service.stopping = self._switch.stopping = True
        for job in self.jobs.clear():
            job.cause = ShuttingDownError()
            self.board.end(job, SwitchState.CANCELLED)
        self.service.admission.refuse(lambda _: ShuttingDownError())
        running = self.jobs.running
        if running and running.kind != "unload":
            running.cancelled = running.cancelled or ShuttingDownError()
            self._interrupt()
        self.jobs.add(Job("unload", reason="the gateway goes down", explicit=False, kept=False))


def _error_of(work: asyncio.Task[None]) -> BaseException | None:
    return asyncio.CancelledError() if work.cancelled() else work.exception()


def _cause_of(job: Job, error: BaseException) -> UMLError:
    if isinstance(error, asyncio.CancelledError) or job.cancelled:
        return job.cancelled or ShuttingDownError()
    if isinstance(error, UMLError):
        return error
    log.error("job failed: %s", job.reason, exc_info=error)
    what = str(error) or type(error).__name__
    return InternalServerError(f"the switch failed at '{job.stage}': {what}; `uml logs` has the rest")


def _end_of(job: Job) -> SwitchState:
    if job.cause is None:
        return SwitchState.COMMITTED
    if job.cancelled:
        return SwitchState.CANCELLED
    return SwitchState.ROLLED_BACK if job.rolled_back else SwitchState.FAILED
