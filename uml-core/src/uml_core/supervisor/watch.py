"""What is looked at beside the work: a load's progress, a loaded worker's health, and what it leaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections.abc import Callable, Iterable

import psutil

from uml_core.host.device_memory import held_bytes
from uml_core.host.memory import available_bytes, quick_anon_bytes, resident_bytes
from uml_core.host.nvml import Devices
from uml_core.settings import SupervisorSettings
from uml_core.supervisor.events import Events
from uml_core.supervisor.health import Health
from uml_core.supervisor.leak import Leak, LeakDetector, Sample
from uml_core.supervisor.messages import Hung, Message, Recycle
from uml_core.supervisor.running import RunningWorker

SAMPLE_S = 5.0
IDLE_SAMPLE_S = 60.0
LOOK_S = 0.25
log = logging.getLogger(__name__)


class Watch:
    """Looks after one worker in tasks of its own, from its launch to its end."""

    def __init__(
        self,
        worker: RunningWorker,
        *,
        settings: SupervisorSettings,
        events: Events,
        devices: Devices,
        send: Callable[[Message], None],
    ) -> None:
        """Remember whom to look at; :meth:`start` begins.

        :param send: how the owner is told
        """
        self.requests = 0
        self._worker = worker
        self._settings = settings
        self._events = events
        self._devices = devices
        self._send = send
        self._leaks = LeakDetector()
        self._warned: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, once the worker is ready."""
        self._tasks = [asyncio.create_task(self._watch_health()), asyncio.create_task(self._watch_memory())]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _watch_health(self) -> None:
        reason = await Health(self._worker, self._settings).watch()
        if reason:
            self._events.publish("health", {"model": self._worker.plan.model_id, "state": "hung", "reason": reason})
            self._send(Hung(self._worker.launch.generation, reason))

    async def _watch_memory(self) -> None:
        """Sample after requests, at most every 5 s, and once a minute without any: who does nothing leaks slowly."""
        exited, seen, waited_s = self._worker.process.exited, -1, 0.0
        while not exited.done():
            if self.requests != seen or waited_s >= IDLE_SAMPLE_S:
                seen, waited_s = self.requests, 0.0
                await self._sample()
            await asyncio.wait([exited], timeout=SAMPLE_S)
            waited_s += SAMPLE_S

    async def _sample(self) -> None:
        pids = self._worker.process.tree()
        anon_bytes, free_bytes, fds = await asyncio.to_thread(
            lambda: (quick_anon_bytes(pids), available_bytes(), _count_fds(pids))
        )
        self._worker.see_private(anon_bytes)
        devices = await self._devices.read()
        self._worker.devices_seen, self._worker.pids_seen = devices, frozenset(pids)
        before = self._worker.devices_before
        device_bytes = held_bytes(before, devices, pids) if before and devices else None
        self._leaks.add(
            Sample(
                at_s=asyncio.get_running_loop().time(),
                requests=self.requests,
                anon_bytes=anon_bytes,
                device_bytes=device_bytes,
                fds=fds,
            )
        )
        free_on_devices = sum(device.total_bytes - device.used_bytes for device in devices.devices) if devices else 0
        leak = await asyncio.to_thread(
            self._leaks.verdict,
            anon_bytes + free_bytes,
            device_limit_bytes=None if device_bytes is None else device_bytes + free_on_devices,
            fds_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],  # the worker's too: it inherits ours
        )
        if leak is not None:
            self._tell(leak)

    def _tell(self, leak: Leak) -> None:
        model = self._worker.plan.model_id
        if leak.which not in self._warned:
            self._warned.add(leak.which)
            log.warning("the worker of '%s' leaks: %s", model, leak)
            self._events.publish("leak", {"model": model, "which": leak.which, "sentence": str(leak), "act": leak.act})
        if leak.act:
            self._send(Recycle(self._worker.launch.generation, f"it leaks {leak.which}"))


async def watch_loading(worker: RunningWorker) -> None:
    """Guess how far a load is from the memory that it fills, as long as neither the worker nor its log says so."""
    total_bytes = worker.plan.model.size_bytes
    while not worker.process.exited.done() and worker.progress_source in (None, "memory") and total_bytes:
        here_bytes = await asyncio.to_thread(resident_bytes, worker.process.tree())
        worker.see_progress(min(here_bytes / total_bytes, 0.99), "memory")
        await asyncio.wait([worker.process.exited], timeout=LOOK_S)


def _count_fds(pids: Iterable[int]) -> int:
    count = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            count += int(psutil.Process(pid).num_fds())
    return count
