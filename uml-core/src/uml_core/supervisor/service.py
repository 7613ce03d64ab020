"""What is served, under which names, and who may have a lease on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uml_core.errors import ShuttingDownError, TaskNotSupportedError, UMLError
from uml_core.host.nvml import Devices
from uml_core.settings import SupervisorSettings
from uml_core.supervisor.admission import Admission
from uml_core.supervisor.announcer import Announcer
from uml_core.supervisor.calibration import Books, Calibration
from uml_core.supervisor.job import Job
from uml_core.supervisor.messages import Acquire, Lease, Look, Message, Return
from uml_core.supervisor.process import EXIT_NEWS_S
from uml_core.supervisor.recovery import Recovery
from uml_core.supervisor.slot import OPEN, SERVING, Slot
from uml_core.supervisor.watch import Watch
from uml_core.types import Plan, WorkerState


class Service:
    """The slot as requests see it.

    ``plan`` is what they are answered by, None while nothing is loaded or a switch is under way. ``down`` is what was
    served until it crashed.
    """

    def __init__(
        self,
        slot: Slot,
        *,
        settings: SupervisorSettings,
        announcer: Announcer,
        books: Books,
        send: Callable[[Message], None],
    ) -> None:
        self.slot = slot
        self.admission = Admission(settings)
        self.recovery = Recovery(restarts=settings.restarts)
        self.plan: Plan | None = None
        self.down: Plan | None = None
        self.stopping = False
        self._generation = -1
        self._names: set[str] = set()
        self._watch: Watch | None = None
        self._calibration: Calibration | None = None
        self._drained: asyncio.Future[None] | None = None
        self._settings = settings
        self._announcer = announcer
        self._books = books
        self._send = send

    # Leases

    def ask(self, acquire: Acquire) -> None:
        """A request wants a lease: it waits, or is told at once why it can't have one."""
        if acquire.reply.done():  # the client has left
            return
        acquire.since_s = acquire.since_s or now_s()
        refusal = self._why_not(acquire)
        if refusal is not None:
            acquire.reply.set_exception(refusal)
        else:
            self.admission.enter(acquire)

    def _why_not(self, acquire: Acquire) -> UMLError | None:
        if self.stopping:
            return ShuttingDownError()
        if self.slot.state is WorkerState.QUARANTINED:
            return self.slot.quarantined()
        model, ticket = acquire.request.model, acquire.ticket
        refusal = self.recovery.refuse(model, ticket.fingerprint, ticket.attempt, now_s())
        if refusal is not None or self.plan is None or not self.serves(acquire):
            return refusal
        return None if acquire.task in self.plan.tasks else _cannot(self.plan, acquire.task)

    def serves(self, acquire: Acquire) -> bool:
        """Whether the model that is loaded, and stays, is the one."""
        return self.is_open(acquire.request.model)

    def is_open(self, model: str) -> bool:
        """Whether what *model* names is loaded, and stays."""
        current = self.plan is not None and self._generation == self.slot.generation
        return current and self.slot.state in OPEN and model in self._names

    def refuse(self, job: Job, error: UMLError) -> None:
        """Tell all who wait for the model of *job*, unless it is back as it was before."""
        self.admission.refuse(
            lambda acquire: error if job.leads_to(acquire.request.model) and not self.serves(acquire) else None
        )

    def grant_all(self) -> None:
        """Give a lease to everybody whose turn it is."""
        if self._drained is None:
            for acquire in self.admission.take(self._is_turn):
                self._grant(acquire)

    def _is_turn(self, acquire: Acquire) -> bool | None:
        """Whether it may have a lease now; None when nobody behind it may either."""
        if not self.serves(acquire):
            return False
        if self.admission.is_in_doubt(now_s()):
            return None
        if not self.admission.has_room() or (self.slot.worker and self.slot.worker.hung):
            return None
        leases, suspects = self.admission.leases.values(), self.recovery.suspects
        if any(lease.ticket.fingerprint in suspects for lease in leases):
            return None  # who is under suspicion is alone in the worker
        return None if leases and acquire.ticket.fingerprint in suspects else True

    def _grant(self, acquire: Acquire) -> None:
        worker, generation = self.slot.worker, self.slot.generation
        assert worker is not None
        if self.plan is not None and acquire.task not in self.plan.tasks:
            acquire.reply.set_exception(_cannot(self.plan, acquire.task))
            return
        self.admission.grant(
            acquire, lambda number, waited_s: Lease(number, generation, worker.client, waited_s), now_s()
        )
        if self.slot.state is WorkerState.READY:
            self.slot.move(WorkerState.BUSY)

    def take_back(self, back: Return) -> None:
        """A lease comes back."""
        acquire = self.admission.give_back(back.number, broken=back.broken, now_s=now_s())
        if back.broken:
            asyncio.get_running_loop().call_later(EXIT_NEWS_S + 0.01, self._send, Look())
        if acquire is None:
            return  # its worker is gone already
        if back.served:
            self.recovery.served(acquire.ticket.fingerprint)
        if self._watch:
            self._watch.requests += 1
        if self._calibration and back.served:
            self._calibration.answered(back.prompt_tokens, back.completion_tokens)
        if self.admission.leases:
            return
        if self.slot.state is WorkerState.BUSY:
            self.slot.move(WorkerState.READY)
        self._tell_drained()

    # Draining

    def drain(self, reply: asyncio.Future[None]) -> None:
        """Grant no more leases; the reply comes with the last one's return."""
        if reply.done() or self.slot.state not in OPEN:
            return
        self._drained = reply
        self.slot.move(WorkerState.DRAINING)
        if not self.admission.leases:
            self._tell_drained()

    def undrain(self) -> None:
        """It stays, after all."""
        self._drained = None
        if self.slot.state is WorkerState.DRAINING:
            self.slot.move(WorkerState.BUSY if self.admission.leases else WorkerState.READY, "the switch was given up")

    def _tell_drained(self) -> None:
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    # Changes

    def settle(self, job: Job) -> None:
        """*job* has ended: what the slot serves from now on, and under which names."""
        self._drained = None
        plan = self.slot.plan if self.slot.state in SERVING else None
        if plan is None or self.plan is None or self._generation != self.slot.generation:
            self._change(plan, job)
        self.plan, self._generation = plan, self.slot.generation
        if plan or (job.kind in {"load", "unload"} and job.cause is None):
            self.down = None
        if plan and job.cause is None and job.request:
            self._names.add(job.request.model)
        if plan:
            self.recovery.loaded(*self._names)

    def _change(self, plan: Plan | None, job: Job) -> None:
        self.admission.end()  # those of the earlier generation end with their streams
        self._watch_over(plan, job_id=job.id if plan is job.plan and job.kept else None)
        before = self.plan or self.down
        same = plan is not None and before is not None and plan.model_id == before.model_id
        if plan and not same:
            self._names = {plan.model_id}
        if plan and job.kind != "restart":
            self.recovery.forget_crashes()

    def crashed(self) -> tuple[Plan | None, list[bytes]]:
        """The worker is gone; what it served, and the fingerprints of the requests that were inside."""
        self.down, self.plan = self.plan, None
        self._watch_over(None)
        self.slot.move(WorkerState.VERIFYING, "the worker ended by itself")
        inside = self.admission.end()
        self._tell_drained()
        return self.down, inside

    def is_served_by(self, generation: int) -> bool:
        """Whether requests are, or were until now, answered by that generation."""
        return self.plan is not None and self._generation == generation == self.slot.generation

    def _watch_over(self, plan: Plan | None, *, job_id: str | None = None) -> None:
        if self._watch:
            self._watch.stop()
            self._watch = None
        if self._calibration:
            self._calibration.stop()
            self._calibration = None
        if plan and self.slot.worker:
            devices: Devices = self.slot.devices
            events = self._announcer.events
            self._watch = Watch(
                self.slot.worker, settings=self._settings, events=events, devices=devices, send=self._send
            )
            self._watch.start()
            self._calibration = Calibration(self.slot.worker, books=self._books, devices=devices, job_id=job_id)
            self._calibration.start()


def _cannot(plan: Plan, task: str) -> TaskNotSupportedError:
    return TaskNotSupportedError(f"model '{plan.model_id}' can't do {task}; it can do {', '.join(plan.tasks)}")


def now_s() -> float:
    """The loop's time, which no clock change moves."""
    return asyncio.get_running_loop().time()
