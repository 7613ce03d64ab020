"""Everything between a plan and a process, and everything of a launch that is to be cleaned up after it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path

from uml_core.errors import ModelLoadError
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.supervisor import endpoint, lock, run_folder
from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.environment import worker_environment
from uml_core.supervisor.hooks import ask_backend
from uml_core.supervisor.leftovers import note_process
from uml_core.supervisor.log import WorkerLog
from uml_core.supervisor.process import WorkerProcess
from uml_core.supervisor.running import RunningWorker
from uml_core.types import Launch, Plan, WorkerCommand, WorkerExit, WorkerState

log = logging.getLogger(__name__)


class Launcher:
    """Starts workers that hold the lock at ``lock_path``."""

    def __init__(self, *, plugins: Plugins, settings: Settings, lock_path: Path) -> None:
        self.lock_path = lock_path
        self._plugins = plugins
        self._settings = settings

    async def launch(self, plan: Plan, generation: int) -> RunningWorker:
        """Start a worker; it is not ready yet. A launch that fails is cleaned up here.

        :raises ConflictError: an earlier worker still holds the lock
        :raises PortInUseError: no port is free
        :raises ModelLoadError: the backend gave no command that can be run
        :raises OSError: the run folder can't be written, or no process be started
        """
        with contextlib.ExitStack() as stack:
            held = lock.take(self.lock_path)
            stack.callback(os.close, held)  # our copy: from the spawn on guard and engine hold the lock
            lock.note_generation(held, generation)
            listener = stack.enter_context(endpoint.reserve(self._settings.supervisor.port_range))
            launch = run_folder.prepare(
                self._settings.run_folder,
                generation=generation,
                host=endpoint.HOST,
                port=listener.getsockname()[1],
            )
            try:
                return await self._start(plan, launch, held, listener)
            except BaseException:
                ended = WorkerExit(code=None, signal=None, state=WorkerState.LAUNCHING, intended=False)
                await asyncio.shield(self.clean(plan, launch, ended))
                raise

    async def _start(self, plan: Plan, launch: Launch, held: int, listener: socket.socket) -> RunningWorker:
        command = await self._command(plan, launch)
        descriptors = [held]
        if command.accepts == "fd":
            descriptors.append(listener.fileno())
        else:
            listener.close()
        run_folder.write_launch_file(launch, plan, listener.fileno() if command.accepts == "fd" else None)
        facts = {"model": plan.model_id, "backend": plan.backend, "generation": launch.generation}
        worker_log = WorkerLog(self._settings.log_folder / "worker.log", secret=launch.token, facts=facts)
        return RunningWorker(
            plan=plan,
            launch=launch,
            command=command,
            process=await self._spawn(plan, command, launch, descriptors, worker_log),
            client=self._client(command, launch, plan),
            monitor=self._client(command, launch, plan),
            log=worker_log,
            limit_s=self._settings.supervisor.load_timeout_s,
        )

    async def _command(self, plan: Plan, launch: Launch) -> WorkerCommand:
        command = await ask_backend(self._plugins, "uml_launch_worker", plan=plan, launch=launch)
        if not isinstance(command, WorkerCommand):
            raise ModelLoadError(f"backend '{plan.backend}' gave no command to launch")
        if any(launch.token in word for word in command.argv):
            raise ModelLoadError(f"backend '{plan.backend}' put the token into argv, where other users could read it")
        return command

    async def _spawn(
        self, plan: Plan, command: WorkerCommand, launch: Launch, descriptors: list[int], worker_log: WorkerLog
    ) -> WorkerProcess:
        environment = worker_environment(
            os.environ,
            passed=self._settings.supervisor.pass_environment,
            own=command.env,
            spin=plan.spin,
            launch={"UML_LAUNCH_ID": launch.launch_id, "UML_LAUNCH_FILE": str(launch.launch_file)},
        )
        return await WorkerProcess.start(
            command.argv,
            environment=environment,
            folder=launch.run_dir,
            descriptors=descriptors,
            launch_id=launch.launch_id,
            on_output=worker_log.feed,
            on_started=lambda pid: _note(launch, pid),
        )

    def _client(self, command: WorkerCommand, launch: Launch, plan: Plan) -> WorkerClient:
        return WorkerClient(
            launch.host,
            launch.port,
            launch.token,
            model_id=plan.model_id,
            generation=launch.generation,
            error_codes=command.error_codes,
            rewrites_frames=command.rewrites_frames,
            adapt=command.adapt,
            silence_s=self._settings.supervisor.request_timeout_s,
        )

    async def clean(self, plan: Plan, launch: Launch, exit: WorkerExit) -> None:
        """Run the backend's cleanup, once for each launch; what it raises is logged. Then the run folder goes."""
        try:
            await ask_backend(self._plugins, "uml_cleanup_worker", plan=plan, exit=exit)
        except Exception:
            log.exception("cleanup of backend '%s' failed", plan.backend)
        run_folder.remove(launch)


def _note(launch: Launch, pid: int) -> None:
    """So that a later gateway can tell it is ours; without that it is left alone, and the slot's lock tells of it."""
    try:
        note_process(launch.run_dir, pid)
    except OSError as error:
        log.warning("can't write down the pid of a worker: %s", error)
