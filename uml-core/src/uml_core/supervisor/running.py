"""One launched worker: its process, its client, its log, and what it was launched with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from uml_core.host.cgroup import oom_kills
from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.log import WorkerLog
from uml_core.supervisor.process import WorkerProcess
from uml_core.supervisor.readiness import wait_ready
from uml_core.types import Launch, MemoryKind, MemoryPart, Plan, WorkerCommand, WorkerExit
from uml_core.types.job import ProgressSource

if TYPE_CHECKING:
    from uml_core.host.device_memory import DeviceMemory

KILL_S = 10.0
DUMP_S = 2.0
"""How long a hung worker may take to write down where it hangs."""


@define(kw_only=True, eq=False)
class RunningWorker:
    """A worker from its launch to its end.

    ``client`` is for requests, ``monitor`` for our own questions, which count for nothing. ``intended``: somebody asked
    for the end; ``hung``: it was ended because it did not move; ``cleaned``: all is cleaned up. ``private_bytes`` is
    what it was last seen to hold alone, ``peak_bytes`` the most of it, ``devices_before`` what the devices held
    before its launch, ``devices_seen`` and ``pids_seen`` the last look at it alive. ``overhead_bytes`` is what it says
    that it held with nothing loaded, ``told_bytes`` what its log says of each device and kind of memory, ``measured``
    what was measured of each. ``progress_source`` says who knows ``progress``.
    """

    plan: Plan
    launch: Launch
    command: WorkerCommand
    process: WorkerProcess
    client: WorkerClient
    monitor: WorkerClient
    log: WorkerLog
    limit_s: float
    devices_before: DeviceMemory | None = None
    devices_seen: DeviceMemory | None = None
    pids_seen: frozenset[int] = frozenset()
    progress: float | None = None
    progress_source: ProgressSource | None = None
    private_bytes: int = 0
    peak_bytes: int = 0
    overhead_bytes: int | None = field(default=None, init=False)
    told_bytes: dict[tuple[str, MemoryKind], int] = field(factory=dict, init=False)
    measured: tuple[MemoryPart, ...] = field(default=(), init=False)
    intended: bool = field(default=False, init=False)
    hung: bool = field(default=False, init=False)
    cleaned: bool = field(default=False, init=False)
    _oom_kills: int | None = field(factory=oom_kills, init=False)
    _launched_s: float = field(factory=lambda: asyncio.get_running_loop().time(), init=False)

    @property
    def age_s(self) -> float:
        """Since its launch."""
        return asyncio.get_running_loop().time() - self._launched_s

    async def wait_ready(self) -> None:
        """Wait until it answers; raises as :func:`uml_core.supervisor.readiness.wait_ready` does."""
        self.log.watchers += [self._read_progress, self._read_memory]
        limit_s = min(self.command.ready_timeout_s, self.limit_s)
        await wait_ready(
            self.process,
            self.client,
            self.command,
            self.launch,
            timeout_s=limit_s,
            on_health=self._read_health,
        )
        self.see_progress(1.0, "worker")

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

    async def abort(self) -> None:
        """End one that does not move: it gets the chance to dump its stacks into the log, then it is killed."""
        self.hung = True
        self.process.abort()
        await asyncio.wait([self.process.exited], timeout=DUMP_S)
        self.process.kill()
        await asyncio.wait([self.process.exited], timeout=KILL_S)

    def exit(self, state: str) -> WorkerExit:
        """How it ended, for who cleans up; *state* is the one it ended in."""
        ended = self.process.exited.result() if self.process.exited.done() else None
        now = oom_kills()
        return WorkerExit(
            code=ended.code if ended else None,
            signal=ended.signal if ended else None,
            state=state,
            intended=self.intended,
            log_tail=tuple(self.log.tail),
            hung=self.hung,
            oom_kills=None if now is None or self._oom_kills is None else now - self._oom_kills,
            peak_bytes=self.peak_bytes or None,
        )

    def see_progress(self, part: float, source: ProgressSource) -> None:
        """Note how far the load is; what the worker itself says goes before what is guessed from outside."""
        if source == "memory" and self.progress_source in {"worker", "log"}:
            return
        if self.progress_source == "memory" and source != "memory":
            self.progress = None
        self.progress, self.progress_source = min(max(part, self.progress or 0.0), 1.0), source

    def see_private(self, size_bytes: int) -> None:
        """Note how much memory it holds alone."""
        if size_bytes:
            self.private_bytes, self.peak_bytes = size_bytes, max(size_bytes, self.peak_bytes)

    def _read_health(self, health: Mapping[str, Any]) -> None:
        progress, overhead = health.get("progress"), health.get("overhead_bytes")
        if isinstance(progress, int | float):
            self.see_progress(progress, "worker")
        if isinstance(overhead, int) and overhead > 0:
            self.overhead_bytes = overhead

    def _read_memory(self, line: str) -> None:
        if self.command.memory and (part := self.command.memory(line)) is not None:
            key = part.device, part.kind
            self.told_bytes[key] = self.told_bytes.get(key, 0) + part.size_bytes

    def _read_progress(self, line: str) -> None:
        if self.command.progress and (part := self.command.progress(line)) is not None:
            self.see_progress(part, "log")
