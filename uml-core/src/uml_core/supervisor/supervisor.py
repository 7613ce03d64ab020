"""The face of the lifecycle: load, unload, lease, look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeAlias

from attrs import frozen

from uml_core.errors import ModelLoadingError, ShuttingDownError, WorkerCrashedError
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.storage import NoStorage, Storage
from uml_core.supervisor.announcer import Announcer
from uml_core.supervisor.events import Events
from uml_core.supervisor.job import Job
from uml_core.supervisor.leftovers import last_generation, reap
from uml_core.supervisor.look import freed_by_ending
from uml_core.supervisor.messages import Acquire, Cancel, Lease, Load, Message, Return, Stop, Ticket, Unload, Waiting
from uml_core.supervisor.owner import Owner
from uml_core.supervisor.process import EXIT_NEWS_S
from uml_core.supervisor.progress import progress_of
from uml_core.supervisor.slot import Slot
from uml_core.supervisor.steps import Step, nothing
from uml_core.types import JobStatus, LoadProgress, LoadRequest, MemoryPart, Plan, WorkerExit, WorkerState

if TYPE_CHECKING:
    from uml_core.planning import Planner

ANONYMOUS = Ticket()
_Order: TypeAlias = "Callable[[asyncio.Future[Job]], Load | Unload | Cancel]"


@frozen(kw_only=True)
class Active:
    """The slot as it is now: a copy to look at, never to decide by.

    ``restarts`` counts those after crashes since the model was loaded; ``job_id`` is the job that works on it.
    ``measured`` is what the worker was measured to take, kind by kind; empty until then.
    """

    plan: Plan
    state: WorkerState
    generation: int
    port: int | None
    pid: int | None
    leases: int
    since: datetime
    progress: LoadProgress | None
    restarts: int
    health: str
    job_id: str | None
    measured: tuple[MemoryPart, ...] = ()


class Supervisor:
    """Loads one model at a time into a supervised worker, and lends it to requests.

    Use as an async context manager; leaving it stops the worker and proves that it is gone.
    """

    def __init__(
        self,
        plugins: Plugins,
        planner: Planner,
        settings: Settings,
        *,
        storage: Storage | None = None,
        at: Step = nothing,
    ) -> None:
        """Put it together; nothing is started yet.

        :param storage: where transitions and loads are written down
        :param at: called at each step of a switch, so that a test can make it fail there
        """
        self._settings = settings
        announcer = Announcer(plugins, storage or NoStorage())
        self.events: Events = announcer.events
        self._slot = Slot(
            0,
            plugins=plugins,
            settings=settings,
            announcer=announcer,
            at=at,
            first=last_generation(settings.run_folder),
        )
        self._owner = Owner(self._slot, planner=planner, settings=settings, announcer=announcer, at=at)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._settings.run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await reap(self._settings.run_folder)
        self._task = asyncio.create_task(self._owner.run(), name="owner")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._owner.inbox.put_nowait(Stop())
        if self._task:
            await asyncio.shield(self._task)
        self.events.close()
        await self._slot.devices.close()

    @property
    def accepting(self) -> bool:
        """Whether a request would be taken, also with no model loaded."""
        return self.why_not is None

    @property
    def why_not(self) -> str | None:
        """Why a request would not be taken, None if it would."""
        if self._owner.service.stopping:
            return ShuttingDownError().message
        if self._slot.state is WorkerState.QUARANTINED:
            return self._slot.quarantined().message
        return None

    def active(self) -> Active | None:
        """What is in the slot, loading or loaded."""
        slot, running = self._slot, self._owner.jobs.running
        if slot.plan is None:
            return None
        worker = slot.worker
        return Active(
            plan=slot.plan,
            state=slot.state,
            generation=slot.generation,
            port=worker.launch.port if worker else None,
            pid=worker.process.pid if worker else None,
            leases=len(self._owner.service.admission.leases),
            since=slot.since,
            progress=progress_of(running, slot) if running else None,
            restarts=self._owner.service.recovery.count,
            health="hung" if worker and worker.hung else "ok",
            job_id=running.id if running else None,
            measured=worker.measured if worker else (),
        )

    async def freed(self) -> Mapping[str, int]:
        """Bytes that the end of the loaded model would give back: under ``cpu``, and under the uuid of each device."""
        return await freed_by_ending(self._slot.worker, self._slot.devices)

    # Jobs

    async def submit(self, request: LoadRequest, *, allow_path: bool = False) -> JobStatus:
        """Load a model, or join the load of it that is under way; returns at once.

        A newer explicit load takes the place of a queued one, never of a running one.
        """
        return self._owner.board.status(await self._load(request, allow_path=allow_path))

    async def load(self, request: LoadRequest, *, allow_path: bool = False) -> JobStatus:
        """Load a model, or join the load of it that is under way, and wait for its end.

        Leaving before the end doesn't stop the load.

        :raises UMLError: it was not loaded; ``job`` of the error says whether the model before is back
        """
        job = await self._load(request, allow_path=allow_path)
        await job.ended.wait()
        return self._succeeded(job)

    async def submit_unload(self) -> JobStatus:
        """Empty the slot after the running requests; returns at once."""
        return self._owner.board.status(await self._ask(Unload))

    async def unload(self) -> JobStatus:
        """Empty the slot after the running requests, and wait for the proof that it is empty.

        :raises SlotQuarantinedError: a process of ours can't be ended
        """
        job = await self._ask(Unload)
        await job.ended.wait()
        return self._succeeded(job)

    async def wait(self, job_id: str) -> JobStatus:
        """Wait until a job has ended.

        :raises NotFoundError: there is no such job
        """
        job = self._owner.jobs.find(job_id)
        await job.ended.wait()
        return self._owner.board.status(job)

    async def cancel(self, job_id: str) -> JobStatus:
        """Cancel a job for all who joined it, at whatever stage it is, and wait for its end.

        What it had evicted comes back.

        :raises NotFoundError: there is no such job
        :raises ConflictError: it has ended already
        """
        job = await self._ask(lambda reply: Cancel(job_id, reply))
        await job.ended.wait()
        return self._owner.board.status(job)

    def job(self, job_id: str) -> JobStatus:
        """One job as it is now.

        :raises NotFoundError: there is no such job
        """
        return self._owner.board.status(self._owner.jobs.find(job_id))

    def jobs(self) -> list[JobStatus]:
        """The running one, the queued ones, and the last ones that have ended, newest first."""
        return [self._owner.board.status(job) for job in self._owner.jobs.all]

    async def _load(self, request: LoadRequest, *, allow_path: bool) -> Job:
        return await self._ask(lambda reply: Load(request, allow_path, reply))

    def _succeeded(self, job: Job) -> JobStatus:
        status = self._owner.board.status(job)
        if job.cause is not None:
            job.cause.job = status
            raise job.cause
        return status

    # Requests

    def waiting(self) -> list[Waiting]:
        """The queue of requests."""
        return self._owner.service.admission.look(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def lease(
        self, request: LoadRequest, task: str, *, wait_s: float | None = None, ticket: Ticket = ANONYMOUS
    ) -> AsyncIterator[Lease]:
        """Hold the worker of a model for one request; it is loaded if it isn't, and not unloaded meanwhile.

        :param task: the pipeline tag that the model must serve
        :param wait_s: how long to wait for a load, and for its turn
        :param ticket: who asks
        :raises TaskNotSupportedError: the model can't do *task*
        :raises ModelLoadingError: it was not its turn within *wait_s*; the load goes on
        :raises QueueFullError: too many wait already
        :raises RequestCrashedWorkerError: this request makes workers crash
        :raises UMLError: the load failed
        """
        lease = await self._acquire(request, task, wait_s=wait_s, ticket=ticket)
        served = broken = False
        try:
            yield lease
            served = True
        except WorkerCrashedError:
            broken = True
            raise
        finally:
            tokens = lease.prompt_tokens, lease.completion_tokens
            self._owner.inbox.put_nowait(Return(lease.number, served, broken, *tokens))

    async def _acquire(self, request: LoadRequest, task: str, *, wait_s: float | None, ticket: Ticket) -> Lease:
        reply: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._send(Acquire(request, task, ticket, reply))
        try:
            async with asyncio.timeout(wait_s):
                return await reply
        except TimeoutError:
            self._give_up(reply)
            raise self._still_loading(request.model) from None
        except asyncio.CancelledError:
            self._give_up(reply)
            raise

    def _still_loading(self, model: str) -> ModelLoadingError:
        job = next((job for job in self._owner.jobs if job.leads_to(model)), None)
        status = self._owner.board.status(job) if job else None
        eta_s = status.progress.eta_s if status and status.progress else None
        error = ModelLoadingError(
            f"model '{model}' is still being loaded; ask again in a few seconds"
            if job
            else f"requests for model '{model}' still wait for their turn; ask again in a few seconds",
            retry_after_s=min(max(round(eta_s or 5), 1), 30),
        )
        error.job = status
        return error

    async def crash_of(self, generation: int) -> WorkerExit | None:
        """How the worker of that generation ended; waits up to 1 s for it, None when it lives."""
        deadline = asyncio.get_running_loop().time() + EXIT_NEWS_S
        while (ended := self._owner.aftermath.exits.get(generation)) is None:
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.01)
        return ended

    def _send(self, message: Message) -> None:
        if self._owner.closed:
            raise ShuttingDownError
        self._owner.inbox.put_nowait(message)

    async def _ask(self, order: _Order) -> Job:
        reply: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._send(order(reply))
        return await reply

    def _give_up(self, reply: asyncio.Future[Lease]) -> None:
        """Leave the wait; a lease that was granted in this very moment is handed back."""
        if not reply.cancel() and not reply.cancelled() and reply.exception() is None:
            self._owner.inbox.put_nowait(Return(reply.result().number, served=False))
