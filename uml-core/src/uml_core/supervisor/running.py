"""One launched worker: its process, its client, its log, and what it was launched with."""

from __future__ import annotations

import asyncio

from attrs import define, field

from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.log import WorkerLog
from uml_core.supervisor.process import WorkerProcess
from uml_core.supervisor.readiness import wait_ready
from uml_core.types import Launch, Plan, WorkerCommand, WorkerExit

KILL_S = 10.0


@define(kw_only=True, eq=False)
class RunningWorker:
    """A worker from its launch to its end. ``intended``: somebody asked for the end; ``cleaned``: all is cleaned up."""

    plan: Plan
    launch: Launch
    command: WorkerCommand
    process: WorkerProcess
    client: WorkerClient
    log: WorkerLog
    limit_s: float
    progress: float | None = None
    intended: bool = field(default=False, init=False)
    cleaned: bool = field(default=False, init=False)

    async def wait_ready(self) -> None:
        """Wait until it answers; raises as :func:`uml_core.supervisor.readiness.wait_ready` does."""
        self.log.watchers.append(self._read_progress)
        limit_s = min(self.command.ready_timeout_s, self.limit_s)
        await wait_ready(
            self.process, self.client, self.command, self.launch, timeout_s=limit_s, on_progress=self._set_progress
        )
        self.progress = 1.0

    async def stop(self, *, graceful: bool) -> None:
        """End it: TERM and its grace for one that serves, KILL for one that has nothing to lose or won't go."""
        if not self.process.exited.done():
            self.intended = True
            if graceful:
                self.process.terminate()
                await asyncio.wait([self.process.gone], timeout=self.command.stop_grace_s)
            self.process.kill()
        await asyncio.wait([self.process.gone], timeout=KILL_S)
        self.log.close()

    def exit(self, state: str) -> WorkerExit:
        """How it ended, for who cleans up; *state* is the one it ended in."""
        ended = self.process.exited.result() if self.process.exited.done() else None
        return WorkerExit(
            code=ended.code if ended else None,
            signal=ended.signal if ended else None,
            state=state,
            intended=self.intended,
            log_tail=self.log.last(),
        )

    def _read_progress(self, line: str) -> None:
        if self.command.progress and (part := self.command.progress(line)) is not None:
            self._set_progress(part)

    def _set_progress(self, part: float) -> None:
        self.progress = min(max(part, self.progress or 0.0), 1.0)
