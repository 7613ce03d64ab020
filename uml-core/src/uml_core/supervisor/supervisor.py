"""The face of the lifecycle: load, unload, lease, look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Self

from attrs import frozen

from uml_core.errors import ModelLoadingError
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.supervisor.messages import Acquire, Lease, Load, Release, Stop, Unload
from uml_core.supervisor.owner import Owner, going_down
from uml_core.supervisor.slot import Slot
from uml_core.types import LoadRequest, Plan, WorkerState

if TYPE_CHECKING:
    from uml_core.planning import Planner
    from uml_core.supervisor.client import WorkerClient


@frozen(kw_only=True)
class Active:
    """The slot as it is now: a copy to look at, never to decide by."""

    plan: Plan
    state: WorkerState
    generation: int
    port: int | None
    pid: int | None
    leases: int
    since: datetime
    progress: float | None


class Supervisor:
    """Loads one model at a time into a supervised worker, and lends it to requests.

    Use as an async context manager; leaving it stops the worker and proves that it is gone.
    """

    def __init__(self, plugins: Plugins, planner: Planner, settings: Settings) -> None:
        self._settings = settings
        self._slot = Slot(0, plugins=plugins, settings=settings)
        self._owner = Owner(self._slot, planner=planner, settings=settings)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._settings.run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._task = asyncio.create_task(self._owner.run(), name="owner")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._owner.inbox.put_nowait(Stop())
        if self._task:
            await asyncio.shield(self._task)

    @property
    def accepting(self) -> bool:
        """Whether a request would be taken, also with no model loaded."""
        return not self._owner.stopping and self._slot.state is not WorkerState.QUARANTINED

    def active(self) -> Active | None:
        """What is in the slot, loading or loaded."""
        slot = self._slot
        if slot.plan is None:
            return None
        return Active(
            plan=slot.plan,
            state=slot.state,
            generation=slot.generation,
            port=slot.worker.launch.port if slot.worker else None,
            pid=slot.worker.process.pid if slot.worker else None,
            leases=self._owner.leases,
            since=slot.since,
            progress=slot.worker.progress if slot.worker else None,
        )

    async def load(self, request: LoadRequest, *, allow_path: bool = False) -> Plan:
        """Load a model, or join the load of it that is under way.

        Leaving before the end doesn't stop the load.

        :raises UMLError: it can't be loaded; what is loaded is untouched unless the new worker itself failed
        """
        reply: asyncio.Future[Plan] = asyncio.get_running_loop().create_future()
        self._send(Load(request, allow_path, reply))
        return await reply

    async def unload(self) -> str | None:
        """Empty the slot after the running requests; the id of what was in it, if anything was."""
        reply: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._send(Unload(reply))
        return await reply

    @contextlib.asynccontextmanager
    async def lease(
        self, request: LoadRequest, task: str, *, wait_s: float | None = None
    ) -> AsyncIterator[WorkerClient]:
        """Hold the worker of a model for one request; it is loaded if it isn't, and not unloaded meanwhile.

        :param task: the pipeline tag that the model must serve
        :param wait_s: how long to wait for a load
        :raises TaskNotSupportedError: the model can't do *task*
        :raises ModelLoadingError: it was not loaded within *wait_s*; the load goes on
        """
        reply: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._send(Acquire(request, task, reply))
        try:
            async with asyncio.timeout(wait_s):
                lease = await reply
        except TimeoutError:
            self._give_up(reply)
            raise ModelLoadingError(
                f"model '{request.model}' is still being loaded; ask again in a few seconds", retry_after_s=5
            ) from None
        except asyncio.CancelledError:
            self._give_up(reply)
            raise
        try:
            yield lease.worker
        finally:
            self._owner.inbox.put_nowait(Release(lease.generation))

    def _send(self, message: Acquire | Load | Unload) -> None:
        if self._owner.closed:
            raise going_down()
        self._owner.inbox.put_nowait(message)

    def _give_up(self, reply: asyncio.Future[Lease]) -> None:
        """Leave the wait; a lease that was granted in this very moment is handed back."""
        if not reply.cancel() and not reply.cancelled() and reply.exception() is None:
            self._owner.inbox.put_nowait(Release(reply.result().generation))
