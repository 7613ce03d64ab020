"""What a loaded worker takes, measured beside its work: after the load, and after the first full batch.

Nothing waits for it, and what goes wrong in it is a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from uml_core.host.machine import machine_name
from uml_core.host.nvml import Devices
from uml_core.planning.learned_memory import device_names, engine_of, how_of
from uml_core.supervisor.by_kind import by_kind
from uml_core.supervisor.look import Sight, look
from uml_core.supervisor.running import RunningWorker
from uml_core.types import HOST, BackendInfo, Measurement, MemoryEstimate, MemoryPart, Plan

if TYPE_CHECKING:
    from uml_core.registry.records import Records
    from uml_core.storage import Storage

FULL = 7 / 8
"""The part of a short context that counts as a full batch: the rest is for the answer."""
FURTHER = 2
"""A prompt so many times as long as the one before is worth another look: long ones need more to calculate with."""
log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Books:
    """Where measurements go, and what they are kept under."""

    records: Records
    storage: Storage
    backends: Mapping[str, BackendInfo]


class Calibration:
    """Measures one worker, from its readiness to its end."""

    def __init__(self, worker: RunningWorker, *, books: Books, devices: Devices, job_id: str | None) -> None:
        """Remember whom to measure; :meth:`start` begins.

        :param job_id: the row of ``loads`` that gets the sum; None if this is no load of its own
        """
        self._worker = worker
        self._books = books
        self._devices = devices
        self._job_id = job_id
        self._longest = 0
        self._batched = 0
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Measure what the load took."""
        self._begin(used=False)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def answered(self, prompt_tokens: int, tokens: int) -> None:
        """A request was answered: measure once more if it made the worker compute a full batch at once.

        It did if its prompt is longer by a batch than everything before, so that nothing of that was known already.
        """
        plan, before = self._worker.plan, self._longest
        self._longest = max(before, prompt_tokens + tokens)
        batch = min(plan.placement.batch, int(plan.context_length * FULL))
        if prompt_tokens - before >= batch and prompt_tokens >= FURTHER * self._batched:
            self._batched = prompt_tokens
            self._begin(used=True)

    def _begin(self, *, used: bool) -> None:
        task = asyncio.create_task(self._measure(used=used), name=f"measuring '{self._worker.plan.model_id}'")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _measure(self, *, used: bool) -> None:
        try:
            async with self._lock:  # the later look is the one that stays
                if sight := await look(self._worker, self._devices):
                    await asyncio.to_thread(self._keep, sight, used=used)
        except Exception:
            log.exception(
                "the memory of '%s' could not be measured; it is served as before", self._worker.plan.model_id
            )

    def _keep(self, sight: Sight, *, used: bool) -> None:
        worker, plan = self._worker, self._worker.plan
        predicted = _predicted(plan)
        found = by_kind(sight.seen, predicted)
        worker.measured = tuple(part for part, _ in found)
        if self._job_id:
            row = {"id": self._job_id, "measured_bytes": sum(part.size_bytes for part in worker.measured)}
            self._books.storage.put("loads", row)
        if plan.memory is None or plan.backend not in self._books.backends:
            return
        engine = engine_of(self._books.backends[plan.backend], plan.settings)
        pattern = _pattern(plan, engine=engine, used=used)
        reach = self._batched / (plan.context_length * plan.parallel) if used else 0.0
        said = {(part.device, part.kind): _by_now(part, min(reach, 1.0)) for part in predicted.parts}
        names = device_names(sight.devices)
        for part in (part for part, known in found if known):
            one = evolve(
                pattern,
                device=names.get(part.device, part.device),
                kind=part.kind,
                predicted_bytes=said.get((part.device, part.kind), 0),
                measured_bytes=part.size_bytes,
            )
            self._books.records.put_measurement(one, load=f"{worker.launch.launch_id}/{part.device}")


def _predicted(plan: Plan) -> MemoryEstimate:
    """What was said without having learned anything."""
    if plan.memory is None:
        return MemoryEstimate()
    return plan.memory.formula if plan.memory.formula.parts else plan.memory.estimate


def _by_now(part: MemoryPart, reach: float) -> int:
    """What was predicted of it by now: calculating takes more of the machine's memory the further the context reaches.

    :param reach: the part of the context that was in use
    """
    if part.kind != "compute" or part.device != HOST:
        return part.size_bytes
    return part.low_bytes + round((part.size_bytes - part.low_bytes) * reach)


def _pattern(plan: Plan, *, engine: str, used: bool) -> Measurement:
    """What all measurements of one look have in common."""
    return Measurement(
        model_id=plan.model_id,
        backend=plan.backend,
        engine=engine,
        machine=machine_name(),
        architecture=plan.model.architecture or "",
        quantization=plan.model.quantization or "",
        how=how_of(plan.context_length, plan.parallel, plan.placement),
        device=HOST,
        kind="overhead",
        predicted_bytes=0,
        measured_bytes=0,
        units=plan.context_length * plan.parallel,
        used=used,
        measured=datetime.now(UTC),
    )
