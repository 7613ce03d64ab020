"""Room for one worker: start it, know its state, end it, and prove that it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uml_core.errors import InternalServerError, ModelLoadError, UMLError
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.supervisor import endpoint, lock, run_folder
from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.environment import worker_environment
from uml_core.supervisor.log import WorkerLog
from uml_core.supervisor.process import WorkerProcess
from uml_core.supervisor.readiness import PortLostError, TokenRefused, wait_ready
from uml_core.types import Launch, ModelStatus, Plan, WorkerCommand, WorkerExit, WorkerState

HOOK_S = 10.0
KILL_S = 10.0
VERIFY_S = 5.0
log = logging.getLogger(__name__)


class Slot:
    """At most one worker, one lock file, one rising generation. One job at a time may call its coroutines."""

    def __init__(self, number: int, *, plugins: Plugins, settings: Settings) -> None:
        self.number = number
        self.generation = 0
        self.plan: Plan | None = None
        self.state = WorkerState.GONE
        self.since = datetime.now(UTC)
        self.progress: float | None = None
        self.client: WorkerClient | None = None
        self.launch: Launch | None = None
        self.process: WorkerProcess | None = None
        self._command: WorkerCommand | None = None
        self._log: WorkerLog | None = None
        self._intended = False
        self._plugins = plugins
        self._settings = settings

    @property
    def lock_path(self) -> Path:
        return self._settings.run_folder / f"slot-{self.number}.lock"

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
            progress=self.progress,
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
        self.progress = 1.0
        self.move(WorkerState.READY)

    async def _launch(self, plan: Plan, on_exit: Callable[[int], None]) -> None:
        self.generation += 1
        generation = self.generation
        self.plan, self.progress, self._intended = plan, None, False
        self.state = WorkerState.GONE
        self.move(WorkerState.LAUNCHING)
        with contextlib.ExitStack() as stack:
            held = lock.take(self.lock_path)
            stack.callback(os.close, held)  # our copy: from here on guard and engine hold the lock
            listener = stack.enter_context(endpoint.reserve(self._settings.supervisor.port_range))
            self.launch = launch = run_folder.prepare(
                self._settings.run_folder,
                generation=generation,
                host=endpoint.HOST,
                port=listener.getsockname()[1],
            )
            self._command = command = await self._ask(plan, launch)
            descriptors = [held]
            if command.accepts == "fd":
                descriptors.append(listener.fileno())
            else:
                listener.close()
            run_folder.write_launch_file(launch, plan, listener.fileno() if command.accepts == "fd" else None)
            self.process = await self._spawn(command, launch, plan, descriptors)
        self.process.exited.add_done_callback(lambda _: on_exit(generation))
        self.client = WorkerClient(
            launch.host,
            launch.port,
            launch.token,
            model_id=plan.model_id,
            generation=generation,
            error_codes=command.error_codes,
            rewrites_frames=command.rewrites_frames,
            silence_s=self._settings.supervisor.request_timeout_s,
        )
        self.move(WorkerState.LOADING)
        limit_s = min(command.ready_timeout_s, self._settings.supervisor.load_timeout_s)
        await wait_ready(self.process, self.client, command, launch, timeout_s=limit_s, on_progress=self._set_progress)

    async def _ask(self, plan: Plan, launch: Launch) -> WorkerCommand:
        command = await self._hook("uml_launch_worker", plan=plan, launch=launch)
        if not isinstance(command, WorkerCommand):
            raise ModelLoadError(f"backend '{plan.backend}' gave no command to launch")
        if any(launch.token in word for word in command.argv):
            raise ModelLoadError(f"backend '{plan.backend}' put the token into argv, where other users could read it")
        return command

    async def _hook(self, hook: str, *, plan: Plan, **arguments: Any) -> Any:
        call = asyncio.to_thread(self._plugins.ask, plan.backend, hook, plan=plan, **arguments)
        try:
            return await asyncio.wait_for(call, HOOK_S)
        except TimeoutError:
            raise ModelLoadError(f"backend '{plan.backend}' did not answer {hook} within {HOOK_S:.0f} s") from None
        except UMLError:
            raise
        except Exception as error:  # whatever a plugin raises must not look like a fault of the gateway
            raise ModelLoadError(
                f"backend '{plan.backend}' failed in {hook} with {type(error).__name__}: {error}"
            ) from error

    async def _spawn(self, command: WorkerCommand, launch: Launch, plan: Plan, descriptors: list[int]) -> WorkerProcess:
        facts = {"model": plan.model_id, "backend": plan.backend, "generation": launch.generation}
        self._log = WorkerLog(self._settings.log_folder / "worker.log", secret=launch.token, facts=facts)
        self._log.watchers.append(self._read_progress)
        environment = worker_environment(
            os.environ,
            passed=self._settings.supervisor.pass_environment,
            own=command.env,
            launch={"UML_LAUNCH_ID": launch.launch_id, "UML_LAUNCH_FILE": str(launch.launch_file)},
        )
        return await WorkerProcess.start(
            command.argv,
            environment=environment,
            folder=launch.run_dir,
            descriptors=descriptors,
            launch_id=launch.launch_id,
            on_output=self._log.feed,
        )

    def _read_progress(self, line: str) -> None:
        if self._command and self._command.progress and (part := self._command.progress(line)) is not None:
            self._set_progress(part)

    def _set_progress(self, part: float) -> None:
        self.progress = min(max(part, self.progress or 0.0), 1.0)

    def _explain(self, error: BaseException, plan: Plan) -> BaseException:
        """Turn what went wrong while loading into one sentence with the worker's last words."""
        who = f"the worker for '{plan.model_id}' (backend '{plan.backend}')"
        if isinstance(error, TokenRefused):
            return ModelLoadError(f"{who} refuses the token of its own launch", detail=self.last_words())
        if isinstance(error, OSError):
            return ModelLoadError(f"{who} could not be started: {error}")
        if not isinstance(error, ModelLoadError) or self.process is None:
            return error
        if not self.process.exited.done():
            return ModelLoadError(error.message, detail=self.last_words())
        return ModelLoadError(f"{who} {self._exit(self.state)}", detail=self.last_words())

    def last_words(self) -> tuple[str, ...]:
        return self._log.last() if self._log else ()

    def _exit(self, state: WorkerState) -> WorkerExit:
        ended = self.process.exited.result() if self.process and self.process.exited.done() else None
        return WorkerExit(
            code=ended.code if ended else None,
            signal=ended.signal if ended else None,
            state=str(state),
            intended=self._intended,
            log_tail=self.last_words(),
        )

    async def end(self, reason: str) -> None:
        """Stop the worker if there is one, in whatever state it is, and prove that it is gone.

        A ready worker gets TERM and its grace; one that is still loading has nothing to lose and is killed.
        Afterwards the slot is ``gone``, or ``quarantined`` if a process of ours can't be shown to have ended.
        """
        was = self.state
        if self.process is not None:
            await self._stop(self.process, reason)
        if self.plan is not None and self.launch is not None:
            await self._clean(self.plan, self.launch, self._exit(was))
        free = await self._is_free()
        self.move(WorkerState.GONE if free else WorkerState.QUARANTINED, reason)
        if free:
            self.process = self.client = self.launch = self.plan = self._command = None
        if self._log:
            self._log.close()

    async def _stop(self, process: WorkerProcess, reason: str) -> None:
        if not process.exited.done():
            self._intended = True
            graceful = self.state in {WorkerState.READY, WorkerState.BUSY, WorkerState.DRAINING}
            self.move(WorkerState.STOPPING, reason)
            if graceful and self._command:
                process.terminate()
                await asyncio.wait([process.gone], timeout=self._command.stop_grace_s)
            process.kill()
        await asyncio.wait([process.gone], timeout=KILL_S)
        self.move(WorkerState.VERIFYING, reason)

    async def _clean(self, plan: Plan, launch: Launch, exit: WorkerExit) -> None:
        """Run the backend's cleanup, once for this launch; what it raises is logged."""
        try:
            await self._hook("uml_cleanup_worker", plan=plan, exit=exit)
        except Exception:
            log.exception("cleanup of backend '%s' failed", plan.backend)
        run_folder.remove(launch)
        self.launch = None

    async def _is_free(self) -> bool:
        """Whether the kernel says that nobody holds the slot's lock, asked for up to 5 s."""
        deadline = asyncio.get_running_loop().time() + VERIFY_S
        while not (free := lock.is_free(self.lock_path)):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.05)
        return free
