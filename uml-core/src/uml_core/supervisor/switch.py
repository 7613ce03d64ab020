"""A switch as a transaction: check, drain, unload, verify, launch, probe, commit; or all as it was before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from uml_core.errors import InternalServerError, RequestCancelledError, UMLError
from uml_core.host.memory import quick_anon_bytes
from uml_core.planning.exactly import asked_alike
from uml_core.settings import SupervisorSettings
from uml_core.supervisor.job import Job
from uml_core.supervisor.look import freed_by_ending
from uml_core.supervisor.messages import Drain, Message, Revoke, Undrain
from uml_core.supervisor.slot import OPEN, Slot
from uml_core.supervisor.steps import Step
from uml_core.types import Plan, SwitchState, WorkerState

if TYPE_CHECKING:
    from uml_core.planning import Planner

PLAN_S = 60.0
LAST_WORDS_S = 3.0
"""How long a request that was told to end may take to tell its client."""
log = logging.getLogger(__name__)


class Switch:
    """Performs one job at a time on a slot."""

    def __init__(
        self,
        slot: Slot,
        *,
        planner: Planner,
        settings: SupervisorSettings,
        at: Step,
        send: Callable[[Message], None],
        moved: Callable[[Job, SwitchState], None],
        on_exit: Callable[[int], None],
    ) -> None:
        """Tie it to its slot.

        :param at: called at each step
        :param send: how the owner is told
        :param moved: called to set a job's state
        :param on_exit: called with the generation when a worker ends, wanted or not
        """
        self.stopping = False
        self._slot = slot
        self._planner = planner
        self._settings = settings
        self._at = at
        self._send = send
        self._moved = moved
        self._on_exit = on_exit

    async def perform(self, job: Job) -> None:
        """Do what *job* is for; when it can't be done, put everything right and raise why.

        :raises UMLError: what is wrong; ``job.rolled_back`` says whether the model before is back
        """
        try:
            if job.request is not None and not await self._check(job):
                return
            await self._evict(job)
            if job.plan is not None:
                await self._start(job, job.plan)
                await self._commit()
            job.switched = job.plan is not None or job.previous is not None
        except BaseException as error:
            await self._put_right(job, error)
            raise

    async def _check(self, job: Job) -> bool:
        """Decide on the plan, with nothing touched; False when the slot serves it already."""
        with job.phase("check", "checking"):
            await self._at("check.plan")
            async with asyncio.timeout(PLAN_S):
                freed = await freed_by_ending(self._slot.worker, self._slot.devices)
                job.plan = plan = await asyncio.to_thread(self._plan, job, freed)
            await self._at("check.decided")
        return not self._has(plan, job)

    def _plan(self, job: Job, freed: Mapping[str, int]) -> Plan:
        """Decide in a thread; the memory of what the switch itself will end counts as free."""
        assert job.request is not None
        return self._planner.plan(job.request, allow_path=job.allow_path, freed=freed)

    def _has(self, plan: Plan, job: Job) -> bool:
        """Whether the slot serves that plan already; a request by name takes the options that are there."""
        loaded = self._slot.plan
        if loaded is None or self._slot.state not in OPEN:
            return False
        if job.names_only:
            return loaded.model_id == plan.model_id
        return loaded.loads_same(plan) or asked_alike(loaded, plan)

    async def _evict(self, job: Job) -> None:
        loaded = self._slot.plan
        if loaded is None or job.generation not in {None, self._slot.generation}:
            return
        self._moved(job, SwitchState.EVICTING)
        if job.kind != "restart":  # what has crashed is nothing to go back to: it is what will be started
            job.previous = loaded
        if self._slot.state in OPEN:
            await self._drain(job)
        with job.phase("unload", "unloading"):
            try:
                await self._slot.empty(job.reason)
            finally:
                job.release = self._slot.released
        if self._slot.state is WorkerState.QUARANTINED:
            raise self._slot.quarantined()

    async def _drain(self, job: Job) -> None:
        """Wait for the requests that run; those that take too long are told, and end with a proper last word."""
        reply: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with job.phase("drain", "draining"):
            await self._at("evict.drain")
            try:
                self._send(Drain(reply))
                await asyncio.wait([reply], timeout=self._settings.drain_timeout_s)
                if not reply.done():
                    self._send(Revoke(_cut_off(job)))
                    await asyncio.wait([reply], timeout=LAST_WORDS_S)
            finally:
                reply.cancel()  # a drain that nobody waits for any more must not begin
            await self._at("evict.drained")

    async def _start(self, job: Job, plan: Plan) -> None:
        if job.delay_s:
            with job.phase("wait", "waiting"), contextlib.suppress(TimeoutError):
                async with asyncio.timeout(job.delay_s):
                    await job.hurry.wait()
        self._moved(job, SwitchState.STARTING)
        with job.phase("start", "launching"):
            await self._slot.start(plan, on_exit=self._on_exit)
        job.phases["probe"] = self._slot.probe_s
        job.port = self._slot.worker.launch.port if self._slot.worker else None

    async def _commit(self) -> None:
        await self._at("commit")
        worker = self._slot.worker
        if worker is not None:
            worker.see_private(await asyncio.to_thread(quick_anon_bytes, worker.process.tree()))
        # Nothing is awaited from here on, so that an end that comes later is told to the owner after the commit.
        if worker is None or worker.process.exited.done():
            raise await self._slot.diagnosed()

    async def _put_right(self, job: Job, error: BaseException) -> None:
        """The slot as it was before the job: the same model with the same options, or empty as it was."""
        if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()):
            task.uncancel()  # what follows is not to be cancelled with it
        if self._slot.state is WorkerState.DRAINING:
            self._send(Undrain())
            return
        if self._slot.state in OPEN and not job.switched and self._slot.plan is not job.plan:
            return  # nothing was touched yet
        if self._slot.state not in {WorkerState.GONE, WorkerState.QUARANTINED}:
            await self._slot.empty("the switch failed")
        if job.previous is None or job.kind == "unload" or self.stopping:
            return
        if self._slot.state is WorkerState.QUARANTINED:
            job.rollback_cause = self._slot.quarantined()
            return
        await self._roll_back(job, job.previous)

    async def _roll_back(self, job: Job, previous: Plan) -> None:
        self._moved(job, SwitchState.ROLLING_BACK)
        job.part = 0.0
        try:
            with job.phase("rollback", "rolling back"):
                await self._at("rollback")
                await self._slot.start(previous, on_exit=self._on_exit)
            job.rolled_back = True
        except asyncio.CancelledError:
            job.rollback_cause = RequestCancelledError("the gateway went down before it was back")
        except UMLError as error:
            job.rollback_cause = error
        except Exception as error:
            log.exception("the way back failed")
            job.rollback_cause = InternalServerError(f"{type(error).__name__}: {error}")


def _cut_off(job: Job) -> RequestCancelledError:
    why = f"'{job.plan.model_id}' was loaded in its place" if job.plan else "it was unloaded"
    return RequestCancelledError(
        f"the model was taken away in the middle of the answer: {why}, and the time for running answers was over; "
        "ask again, or raise `drain_timeout_s` in [supervisor] of uml.toml",
        retry_after_s=5,
    )
