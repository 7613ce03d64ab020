"""Room for one worker: start it, know its state, end it, and prove that it is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from uml_core.errors import InternalServerError, ModelLoadError
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.supervisor import lock
from uml_core.supervisor.launcher import Launcher
from uml_core.supervisor.readiness import PortLostError, TokenRefused
from uml_core.supervisor.running import RunningWorker
from uml_core.types import ModelStatus, Plan, WorkerState

VERIFY_S = 5.0
SERVING = frozenset({WorkerState.READY, WorkerState.BUSY, WorkerState.DRAINING})
log = logging.getLogger(__name__)


class Slot:
    """At most one worker, one lock file, one rising generation. One job at a time may call its coroutines.

    ``plan`` is there as soon as a load begins, ``worker`` from its launch to the proof of its end.
    """

    def __init__(self, number: int, *, plugins: Plugins, settings: Settings) -> None:
        self.number = number
        self.generation = 0
        self.plan: Plan | None = None
        self.worker: RunningWorker | None = None
        self.state = WorkerState.GONE
        self.since = datetime.now(UTC)
        self._plugins = plugins
        lock_path = settings.run_folder / f"slot-{number}.lock"
        self._launcher = Launcher(plugins=plugins, settings=settings, lock_path=lock_path)

    def move(self, state: WorkerState, reason: str = "") -> None:
        """Go to *state* and tell everybody who listens."""
        previous, self.state = self.state, state
        self.since = datetime.now(UTC)
        if self.plan is None:
            return
        status = ModelStatus(
            slot=self.number,
            generation=self.generation,
            model_id=self.plan.model_id,
            backend=self.plan.backend,
            state=state,
            previous=None if previous is WorkerState.GONE else previous,
            at=self.since,
            reason=reason,
            progress=self.worker.progress if self.worker else None,
        )
        self._plugins.tell("uml_model_status", status=status)

    async def start(self, plan: Plan, *, on_exit: Callable[[int], None]) -> None:
        """Launch a worker for *plan* and wait until it is ready.

        :param on_exit: called with the generation when the engine ends, wanted or not
        :raises ModelLoadError: it did not get ready; ``detail`` has its last lines, and nothing of it is left
        :raises InternalServerError: the slot still holds an earlier worker
        """
        if self.state is WorkerState.QUARANTINED and not await self._is_free():
            raise InternalServerError(f"slot {self.number} is quarantined: an earlier worker is not proven gone")
        try:
            try:
                await self._launch(plan, on_exit)
            except PortLostError as lost:
                log.warning("%s; one retry on another port", lost)
                await self.end("lost its port")
                await self._launch(plan, on_exit)
        except BaseException as error:
            failure = self._explain(error, plan)
            await asyncio.shield(self.end("failed to load"))
            if failure is error:
                raise
            raise failure from error
        self.move(WorkerState.READY)

    async def _launch(self, plan: Plan, on_exit: Callable[[int], None]) -> None:
        self.generation += 1
        generation = self.generation
        self.plan, self.state = plan, WorkerState.GONE
        self.move(WorkerState.LAUNCHING)
        self.worker = await self._launcher.launch(plan, generation)
        self.worker.process.exited.add_done_callback(lambda _: on_exit(generation))
        self.move(WorkerState.LOADING)
        await self.worker.wait_ready()

    def _explain(self, error: BaseException, plan: Plan) -> BaseException:
        """Turn what went wrong while loading into one sentence with the worker's last words."""
        who = f"the worker for '{plan.model_id}' (backend '{plan.backend}')"
        if isinstance(error, TokenRefused):
            return ModelLoadError(f"{who} refuses the token of its own launch", detail=self.last_words())
        if isinstance(error, OSError):
            return ModelLoadError(f"{who} could not be started: {error}")
        if not isinstance(error, ModelLoadError) or self.worker is None:
            return error
        if not self.worker.process.exited.done():
            return ModelLoadError(error.message, detail=self.last_words())
        return ModelLoadError(f"{who} {self.worker.exit(self.state)}", detail=self.last_words())

    def last_words(self) -> tuple[str, ...]:
        return self.worker.log.last() if self.worker else ()

    async def end(self, reason: str) -> None:
        """Stop the worker if there is one, in whatever state it is, and prove that it is gone.

        A ready worker gets TERM and its grace; one that is still loading has nothing to lose and is killed.
        Afterwards the slot is ``gone``, or ``quarantined`` if a process of ours can't be shown to have ended.
        """
        if self.worker is not None:
            await self._stop(self.worker, reason)
        free = await self._is_free()
        self.move(WorkerState.GONE if free else WorkerState.QUARANTINED, reason)
        if free:
            self.plan = self.worker = None

    async def _stop(self, worker: RunningWorker, reason: str) -> None:
        was = self.state
        if not worker.process.exited.done():
            self.move(WorkerState.STOPPING, reason)
        await worker.stop(graceful=was in SERVING)
        self.move(WorkerState.VERIFYING, reason)
        if not worker.cleaned:  # a quarantined worker comes here again
            worker.cleaned = True
            await self._launcher.clean(worker.plan, worker.launch, worker.exit(was))

    async def _is_free(self) -> bool:
        """Whether the kernel says that nobody holds the slot's lock, asked for up to 5 s."""
        deadline = asyncio.get_running_loop().time() + VERIFY_S
        while not (free := lock.is_free(self._launcher.lock_path)):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.05)
        return free
