"""Room for one worker: start it, know its state, end it, and prove that it is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import evolve

from uml_core.errors import ModelLoadError, SlotQuarantinedError, UMLError
from uml_core.host.devices import forget_devices
from uml_core.host.nvml import Devices
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.supervisor import lock, release
from uml_core.supervisor.announcer import Announcer
from uml_core.supervisor.diagnosis import diagnose, to_error
from uml_core.supervisor.launcher import Launcher
from uml_core.supervisor.probe import probe
from uml_core.supervisor.process import EXIT_NEWS_S
from uml_core.supervisor.readiness import NotReadyError, PortLostError, TokenRefused
from uml_core.supervisor.running import RunningWorker
from uml_core.supervisor.steps import Step
from uml_core.types import ModelStatus, Plan, Release, WorkerState

OPEN = frozenset({WorkerState.READY, WorkerState.BUSY})
SERVING = OPEN | {WorkerState.DRAINING}
log = logging.getLogger(__name__)


class Slot:
    """At most one worker, one lock file, one rising generation. One job at a time may call its coroutines.

    ``plan`` is there as soon as a load begins, ``worker`` from its launch to the proof of its end.
    """

    def __init__(
        self, number: int, *, plugins: Plugins, settings: Settings, announcer: Announcer, at: Step, first: int = 0
    ) -> None:
        """Begin empty.

        :param at: called at each step of a start or an end
        :param first: the last generation that an earlier gateway used
        """
        self.number = number
        self.generation = first
        self.plan: Plan | None = None
        self.worker: RunningWorker | None = None
        self.state = WorkerState.GONE
        self.since = datetime.now(UTC)
        self.job_id: str | None = None
        self.released: Release | None = None
        self.probe_s = 0.0
        self.devices = Devices()
        self._plugins = plugins
        self._settings = settings.supervisor
        self._announcer = announcer
        self._at = at
        lock_path = settings.run_folder / f"slot-{number}.lock"
        self._launcher = Launcher(plugins=plugins, settings=settings, lock_path=lock_path)

    def move(self, state: WorkerState, reason: str = "") -> None:
        """Go to *state* and tell everybody who listens."""
        previous, self.state = self.state, state
        self.since = datetime.now(UTC)
        if self.plan is None or previous is state:
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
        self._announcer.worker(status, job_id=self.job_id)

    async def start(self, plan: Plan, *, on_exit: Callable[[int], None]) -> None:
        """Launch a worker for *plan*, wait until it is ready, and ask it for one token.

        :param on_exit: called with the generation when the engine ends, wanted or not
        :raises UMLError: it did not get ready, with the diagnosis; nothing of it is left
        :raises SlotQuarantinedError: the slot still holds an earlier worker
        """
        if self.state is WorkerState.QUARANTINED and not await self.verify():
            raise self.quarantined()
        try:
            try:
                await self._launch(plan, on_exit)
            except PortLostError as lost:
                log.warning("%s; one retry on another port", lost)
                await self.end("lost its port")
                await self._launch(plan, on_exit)
            await self._probe(plan)
        except BaseException as error:
            failure = await self._explain(error, plan)
            await self.empty("failed to load")
            if failure is error:
                raise
            raise failure from error
        forget_devices()  # else what was free there before would count, and beside it what this worker holds
        self.move(WorkerState.READY)

    async def _launch(self, plan: Plan, on_exit: Callable[[int], None]) -> None:
        await self._at("start.baseline")
        devices = await self.devices.read()
        self.generation += 1
        generation = self.generation
        self.plan, self.state = plan, WorkerState.GONE
        self.move(WorkerState.LAUNCHING)
        await self._at("start.launch")
        self.worker = await self._launcher.launch(plan, generation)
        self.worker.devices_before = devices
        self.worker.process.exited.add_done_callback(lambda _: on_exit(generation))
        self.move(WorkerState.LOADING)
        await self._at("start.launched")
        await self.worker.wait_ready()
        await self._at("start.loaded")

    async def _probe(self, plan: Plan) -> None:
        if self.worker is None:
            return
        self.move(WorkerState.PROBING)
        begun_s = self.worker.age_s
        await self._at("start.probe")
        await probe(self._plugins, plan, self.worker.client, limit_s=self._settings.probe_timeout_s)
        self.probe_s = self.worker.age_s - begun_s
        await self._at("start.probed")
        if self.worker.process.exited.done():
            raise ModelLoadError("the worker ended right after its first token")

    async def _explain(self, error: BaseException, plan: Plan) -> BaseException:
        """Turn what went wrong while loading into one sentence with the worker's last words."""
        who = f"the worker for '{plan.model_id}' (backend '{plan.backend}')"
        if isinstance(error, TokenRefused):
            return ModelLoadError(f"{who} refuses the token of its own launch", detail=self.last_words())
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            # a full disk or a full process table may have room again when it is tried once more
            return ModelLoadError(f"{who} could not be started: {error}", permanent=False)
        if not isinstance(error, UMLError) or isinstance(error, PortLostError) or self.worker is None:
            return error
        await asyncio.wait([self.worker.process.exited], timeout=EXIT_NEWS_S if _may_be_dead(error) else 0)
        if not self.worker.process.exited.done() and not isinstance(error, NotReadyError):
            return _with_detail(error, self.last_words())
        return await self.diagnosed()

    async def diagnosed(self) -> UMLError:
        """Why the worker that was here ended."""
        worker = self.worker
        assert worker is not None
        ended = worker.exit(self.state)
        diagnosis = await diagnose(self._plugins, worker.plan, ended, elapsed_s=worker.age_s)
        return to_error(diagnosis, plan=worker.plan, exit=ended)

    def last_words(self) -> tuple[str, ...]:
        return self.worker.log.last() if self.worker else ()

    def quarantined(self) -> SlotQuarantinedError:
        """What whoever wants the slot is told meanwhile."""
        held = f"'{self.plan.model_id}'" if self.plan else "an earlier model"
        return SlotQuarantinedError(
            f"a process of {held} can't be ended, so nothing is loaded on top of it; it is looked at again every 5 "
            "seconds, and `uml ps` shows it",
            retry_after_s=5,
        )

    async def empty(self, reason: str) -> None:
        """End whatever is here, and finish that also when cancelled; ``released`` has the proof.

        :raises asyncio.CancelledError: it was cancelled meanwhile
        """
        work = asyncio.ensure_future(self._end_surely(reason))
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
        self.released = work.result()
        if cancelled:
            raise cancelled

    async def _end_surely(self, reason: str) -> Release | None:
        try:
            return await self.end(reason)
        except Exception:
            log.exception("a step of the end failed; once more")
            return await self.end(reason)

    async def end(self, reason: str) -> Release | None:
        """Stop the worker if there is one, in whatever state it is, and prove that it is gone.

        A ready worker gets TERM and its grace; one that is still loading has nothing to lose and is killed.
        Afterwards the slot is ``gone``, or ``quarantined`` if a process of ours can't be shown to have ended.
        """
        worker, since_s = self.worker, asyncio.get_running_loop().time()
        if worker is None:
            free = await self._is_free_within(release.VERIFY_S)  # a launch that failed midway may still hold it
            self.move(WorkerState.GONE if free else WorkerState.QUARANTINED, reason)
            self.plan = None if free else self.plan
            return None
        graceful = self.state in SERVING
        await self._at("end.measure")
        held = await release.measure(worker, self.devices)
        await self._stop(worker, reason, graceful=graceful)
        await self._at("end.verify")
        proof = await release.prove(worker, held, self._launcher.lock_path, devices=self.devices, since_s=since_s)
        await self._at("end.verified")
        return self._settle(proof, reason)

    async def _stop(self, worker: RunningWorker, reason: str, *, graceful: bool) -> None:
        was = self.state
        if not worker.process.exited.done():
            self.move(WorkerState.STOPPING, reason)
        await self._at("end.stop")
        await worker.stop(graceful=graceful)
        self.move(WorkerState.VERIFYING, reason)
        await self._at("end.stopped")
        if not worker.cleaned:  # a quarantined worker comes here again
            worker.cleaned = True
            await self._launcher.clean(worker.plan, worker.launch, worker.exit(was))
        await self._at("end.clean")

    def _settle(self, proof: Release, reason: str) -> Release:
        tell = log.info if proof.proven and not proof.unattributed_bytes else log.warning
        tell(
            "released '%s' (generation %d): freed %d of %d bytes, %d unattributed, left over %s, in %.2f s",
            proof.model_id,
            proof.generation,
            proof.freed_bytes,
            proof.expected_bytes,
            proof.unattributed_bytes,
            list(proof.leftover_pids) or "nothing",
            proof.seconds,
        )
        forget_devices()  # what was free there a moment ago is not what is free now
        self.move(WorkerState.GONE if proof.proven else WorkerState.QUARANTINED, reason)
        if proof.proven:
            self.plan = self.worker = None
        return proof

    async def verify(self) -> bool:
        """Look once more whether a quarantined slot is free; then it is ``gone``."""
        proof = None
        if self.worker is not None:
            proof = await release.prove(
                self.worker, release.Held(), self._launcher.lock_path, devices=self.devices,
                since_s=asyncio.get_running_loop().time(), limit_s=0,
            )  # fmt: skip
        if not self.is_free() or (proof and not proof.proven):
            return False
        if proof:
            self._settle(evolve(proof, expected_bytes=0, freed_bytes=0), "nothing of it is left any more")
        else:
            self.move(WorkerState.GONE, "nothing of it is left any more")
            self.plan = None
        return True

    def is_free(self) -> bool:
        """Whether the kernel says that nobody holds the slot's lock."""
        return lock.is_free(self._launcher.lock_path)

    async def _is_free_within(self, limit_s: float) -> bool:
        deadline = asyncio.get_running_loop().time() + limit_s
        while not (free := self.is_free()):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.05)
        return free


def _may_be_dead(error: UMLError) -> bool:
    return error.code in {"worker_crashed", "model_load_failed"}


def _with_detail(error: UMLError, lines: tuple[str, ...]) -> UMLError:
    error.detail = error.detail or lines
    return error
