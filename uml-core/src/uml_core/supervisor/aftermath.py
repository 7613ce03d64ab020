"""What follows when a worker ends by itself, hangs, leaks, or can't be ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from uml_core.errors import UMLError, WorkerCrashedError, WorkerTimeoutError
from uml_core.supervisor.job import Job
from uml_core.supervisor.jobs import Jobs
from uml_core.supervisor.messages import Exited, Hung, Look, Message, Recycle
from uml_core.supervisor.service import Service, now_s
from uml_core.supervisor.slot import SERVING
from uml_core.types import Plan, WorkerExit, WorkerState

VERIFY_AGAIN_S = 5.0
RECYCLE_S = 30 * 60.0
REMEMBERED = 16
log = logging.getLogger(__name__)


class Aftermath:
    """Sees to the worker of a service; what it starts goes through the queue of jobs.

    ``exits`` are the last ends, by generation. ``judging``: it is being found out why a worker ended once too often.
    """

    def __init__(self, service: Service, jobs: Jobs, send: Callable[[Message], None]) -> None:
        self.exits: dict[int, WorkerExit] = {}
        self.judging = False
        self._verifying = False
        self._service = service
        self._jobs = jobs
        self._send = send
        self._recycled_s = float("-inf")
        self._errands: set[asyncio.Task[Any]] = set()

    def exited(self, message: Exited) -> None:
        """An engine has ended. If nobody asked for it: clean up, and start again."""
        slot, generation = self._service.slot, message.generation
        worker, state = slot.worker, slot.state
        if worker is None or generation != slot.generation:
            return
        self._remember(generation, worker.exit(state))
        if worker.intended or not self._service.is_served_by(generation) or state not in SERVING:
            return  # who started it, or is ending it, sees to it
        log.error("the worker of generation %d ended; last words: %s", generation, " | ".join(slot.last_words()))
        plan, inside = self._service.crashed()
        if plan and not self.restart(plan, self.exits[generation], inside):
            self.judging = True
            self._errand(self._give_up(plan))

    def _remember(self, generation: int, ended: WorkerExit) -> None:
        self.exits[generation] = ended
        for old in list(self.exits)[:-REMEMBERED]:
            del self.exits[old]

    def restart(self, plan: Plan, ended: WorkerExit, inside: list[bytes]) -> bool:
        """Have it started again after a while; False when that was tried often enough."""
        delay_s = self._service.recovery.crashed(ended, inside, now_s())
        if delay_s is None:
            return False
        generation = self._service.slot.generation
        reason = "the worker ended by itself"
        job = Job("restart", reason=reason, explicit=False, plan=plan, generation=generation, delay_s=delay_s)
        self._jobs.add(job, first=True)
        return True

    def failed(self, job: Job, cause: UMLError) -> UMLError | None:
        """A load has failed; what those who wait for the model are told, None when they go on waiting."""
        service = self._service
        if job.quiet:
            return None
        if job.kind in {"restart", "recycle"} and job.plan and not job.cancelled and not service.stopping:
            ended = WorkerExit(code=1, signal=None, state="loading", intended=False)
            if not cause.permanent and self.restart(job.plan, ended, []):
                service.down = job.plan
                return None
            service.down = None
            return service.recovery.gave_up(job.plan.model_id, cause)
        if job.request and job.names_only and job.previous and not job.cancelled:
            self._keep_away(job.request.model, cause)
        return cause

    def _keep_away(self, model: str, cause: UMLError) -> None:
        """No request is to try that load again soon. One with options of its own says nothing about requests."""
        if not self._service.is_open(model):  # else it is back as it was
            self._service.recovery.load_failed(model, cause, now_s())

    async def _give_up(self, plan: Plan) -> None:
        slot, service = self._service.slot, self._service
        cause = await slot.diagnosed() if slot.worker else WorkerCrashedError("the worker ended")
        error = service.recovery.gave_up(plan.model_id, cause)
        service.down, self.judging = None, False
        log.error("%s", error.message)
        service.admission.refuse(lambda acquire: error if acquire.request.model == plan.model_id else None)
        self._jobs.add(Job("unload", reason="it crashed too often", explicit=False, generation=slot.generation))
        self._send(Look())

    def hung(self, message: Hung) -> None:
        """A worker does not move: its requests are told, it is dumped and ended, and so comes back as after a crash."""
        worker = self._service.slot.worker
        if worker is None or message.generation != self._service.slot.generation:
            return
        if worker.process.exited.done() or worker.hung or worker.intended:
            return
        log.error("the worker of generation %d hangs (%s): it is dumped and ended", message.generation, message.reason)
        self._service.admission.revoke(
            WorkerTimeoutError(
                f"the worker of '{worker.plan.model_id}' hangs: {message.reason}; it is started again, so ask again",
                retry_after_s=5,
            )
        )
        self._errand(worker.abort())

    def recycle(self, message: Recycle) -> None:
        """A worker leaks: a new one of the same plan takes its place after the requests that run."""
        plan = self._service.plan
        if now_s() - self._recycled_s < RECYCLE_S:
            return  # who leaks this fast would do nothing else; the warning stands
        if plan is None or not self._service.is_served_by(message.generation):
            return
        if not any(job.kind == "recycle" for job in self._jobs):
            self._recycled_s = now_s()
            reason, generation = message.reason, message.generation
            self._jobs.add(Job("recycle", reason=reason, explicit=False, plan=plan, generation=generation))

    def quarantined(self) -> None:
        """A process of ours can't be ended: whoever waits is told, and it is looked at again and again."""
        slot = self._service.slot
        self._service.admission.refuse(lambda _: slot.quarantined())
        if not self._verifying:
            self._verifying = True
            self._errand(self._verify_again())

    async def _verify_again(self) -> None:
        slot = self._service.slot
        while slot.state is WorkerState.QUARANTINED:
            await asyncio.sleep(VERIFY_AGAIN_S)
            if self._jobs.running is None and slot.state is WorkerState.QUARANTINED and await slot.verify():
                self._send(Look())
        self._verifying = False

    def close(self) -> None:
        for errand in self._errands:
            errand.cancel()

    def _errand(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
