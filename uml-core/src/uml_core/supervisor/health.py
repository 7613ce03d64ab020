"""Whether a worker still moves: its activity while it is busy, a sign of life while it is idle."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable

import psutil
from attrs import define, field

from uml_core.errors import UMLError
from uml_core.host.memory import resident_bytes
from uml_core.settings import SupervisorSettings
from uml_core.supervisor.running import RunningWorker

TICK_S = 5.0
ASK_S = 2.0
"""How long a busy worker may take to name its counter; less where it may be silent for little more than that."""
CPU_SHARE = 0.05
"""Processor time that counts as work: answering our own question takes less."""
GROWTH_BYTES = 1 << 20
PATIENCE = 0.75
"""The part of the longest silence after which a worker that burns time without moving is given up: before its
requests are, for without a request there would be nothing to see."""


@define(eq=False)
class Health:
    """Watches one worker. Times are the loop's.

    A busy worker moves when bytes come from it or the counter of its readiness path rises, and works when its
    processes use the processor or grow. One that does neither for ``hang_s`` hangs, and so does one with a counter that
    works without moving for ``request_timeout_s``; a foreign server without a counter may be slow as long as it works.
    One whose request was given up is asked for a sign of life at once, though it seems idle now.
    """

    worker: RunningWorker
    settings: SupervisorSettings
    _heard: int = field(default=-1, init=False)
    _counter: int | None = field(default=None, init=False)
    _cpu_s: float = field(default=0.0, init=False)
    _resident_bytes: int = field(default=0, init=False)
    _moved_s: float = field(default=0.0, init=False)
    _worked_s: float = field(default=0.0, init=False)
    _asked_s: float = field(default=0.0, init=False)
    _given_up: int = field(default=0, init=False)

    async def watch(self) -> str | None:
        """Look until the worker ends or hangs; why it is taken to hang, None when it has ended."""
        self._moved_s = self._worked_s = self._asked_s = _now_s()
        tick_s = min(TICK_S, self.settings.hang_s / 4, self.settings.canary_s / 2)
        # Now, when it has just answered: one that hangs before it is asked would seem to have no counter.
        _, self._counter = await self._ask(self.settings.canary_timeout_s)
        await self._works(tick_s)  # what loading has used is no work on a request
        while not self.worker.process.exited.done():
            reason = await (self._look_at_busy(tick_s) if self.worker.client.active_streams else self._look_at_idle())
            if reason and not self.worker.process.exited.done():
                return reason
            await asyncio.wait([self.worker.process.exited], timeout=tick_s)
        return None

    async def _look_at_busy(self, tick_s: float) -> str | None:
        pulse = self.worker.client.pulse
        if pulse.heard != self._heard:
            self._heard, self._moved_s = pulse.heard, _now_s()
            return None
        _, counter = await self._ask(min(ASK_S, self.settings.hang_s / 2))
        if counter is not None and counter != self._counter:
            self._counter, self._moved_s = counter, _now_s()
        if await self._works(tick_s):
            self._worked_s = _now_s()
        if self._counter is None or self._moved_s > self._worked_s:
            pulse.worked_s = max(self._worked_s, self._moved_s)
        return self._why_hung()

    def _why_hung(self) -> str | None:
        still_s, silent_s = _now_s() - max(self._moved_s, self._worked_s), _now_s() - self._moved_s
        if still_s >= self.settings.hang_s:
            return f"it was busy and did nothing for {still_s:.0f} s"
        if self._counter is not None and silent_s >= PATIENCE * self.settings.request_timeout_s:
            return f"it was busy and made no progress for {silent_s:.0f} s"
        return None

    async def _look_at_idle(self) -> str | None:
        self._heard, self._moved_s = -1, _now_s()
        self._worked_s = self._moved_s
        given_up = self.worker.client.pulse.given_up
        if given_up == self._given_up and _now_s() - self._asked_s < self.settings.canary_s:
            return None
        self._given_up = given_up
        answered, _ = await self._ask(self.settings.canary_timeout_s)
        self._asked_s = _now_s()
        if answered or self.worker.client.active_streams:
            return None
        return f"it was idle and gave no sign of life for {self.settings.canary_timeout_s:g} s"

    async def _ask(self, limit_s: float) -> tuple[bool, int | None]:
        """Whether the readiness path answers in time, and its counter if it has one."""
        with contextlib.suppress(TimeoutError, UMLError):
            async with asyncio.timeout(limit_s):
                response = await self.worker.monitor.get(self.worker.command.ready_path)
                try:
                    return True, _counter_in(await response.read())
                finally:
                    await response.aclose()
        return False, None

    async def _works(self, tick_s: float) -> bool:
        pids = self.worker.process.tree()
        cpu_s, resident = await asyncio.gather(asyncio.to_thread(_cpu_s, pids), asyncio.to_thread(resident_bytes, pids))
        works = cpu_s > self._cpu_s + CPU_SHARE * tick_s or resident > self._resident_bytes + GROWTH_BYTES
        self._cpu_s, self._resident_bytes = cpu_s, resident
        return works


def _counter_in(body: bytes) -> int | None:
    try:
        return int(json.loads(body)["activity"])
    except (ValueError, LookupError, TypeError):
        return None


def _cpu_s(pids: Iterable[int]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def _now_s() -> float:
    return asyncio.get_running_loop().time()
