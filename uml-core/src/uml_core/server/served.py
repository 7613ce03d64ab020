"""How fast models are while they serve, kept as profiles."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, Self

from uml_core.host.machine import machine_name
from uml_core.server.performance import Performance
from uml_core.types import Profile, WorkerState

if TYPE_CHECKING:
    from uml_core.supervisor import Active, Supervisor
    from uml_core.supervisor.events import Event

ANSWERS = 5
"""Fewer say nothing of a model."""
LOOK_S = 600.0
APART = timedelta(hours=1)
"""How much newer than the last one of its kind a profile has to be."""
LEAVING = {WorkerState.DRAINING, WorkerState.STOPPING, WorkerState.VERIFYING}


class Profiles(Protocol):
    """Where profiles are kept; :class:`uml_core.registry.records.Records` is one."""

    def profiles(self, model_id: str) -> tuple[Profile, ...]: ...

    def put_profile(self, profile: Profile) -> None: ...


class Served:
    """Keeps the medians of *performance* when a model leaves and every ten minutes, as long as the context lasts."""

    def __init__(self, performance: Performance, supervisor: Supervisor, profiles: Profiles) -> None:
        self._performance = performance
        self._supervisor = supervisor
        self._profiles = profiles
        self._active: Active | None = None
        self._launched: datetime | None = None
        self._load_s: float | None = None
        self._machine = ""

    async def __aenter__(self) -> Self:
        self._events = self._supervisor.events.subscribe(0)  # the slot may have been filled already
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._look())]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.keep()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def keep(self) -> None:
        """Keep how the loaded model did until now, if there is enough to say and it wasn't said just before."""
        profile = self._profile()
        if profile is not None and not any(
            _repeats(profile, known) for known in self._profiles.profiles(profile.model_id)
        ):
            self._profiles.put_profile(profile)

    def _profile(self) -> Profile | None:
        if self._active is None:
            return None
        plan, said = self._active.plan, self._performance.summary(self._active.generation)
        speeds: tuple[Any, Any] = (said["time_to_first_token_s"], said["tokens_per_second"])
        if said["requests"] < ANSWERS or speeds == (None, None):
            return None
        return Profile(
            model_id=plan.model_id,
            model_bytes=plan.model.size_bytes,
            backend=plan.backend,
            engine="",
            machine=self._machine,
            threads=plan.threads,
            spin=plan.spin,
            context_length=plan.context_length,
            parallel=plan.parallel,
            options=plan.options,
            load_s=self._load_s,
            first_token_s=speeds[0],
            decode_tokens_per_s=speeds[1],
            runs=said["requests"],
            source="served",
            measured=datetime.now(UTC),
        )

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.keep()

    async def _watch(self) -> None:
        async for event in self._events:
            if event.kind == "worker":
                await self._see(event, event.data["state"])

    async def _see(self, event: Event, state: str) -> None:
        if state == WorkerState.LAUNCHING:
            self._launched = event.at
        elif state == WorkerState.READY:
            await self._begin(event)
        elif state in LEAVING:
            self.keep()

    async def _begin(self, event: Event) -> None:
        """A model has been loaded, or one stays that was about to leave."""
        active = self._supervisor.active()
        self._machine = self._machine or await asyncio.to_thread(machine_name)
        if active is None or active.generation != event.data["generation"]:
            return  # it has left since
        if self._active is None or self._active.generation != active.generation:
            self._active = active
            self._load_s = (event.at - self._launched).total_seconds() if self._launched else None


def _repeats(profile: Profile, known: Profile) -> bool:
    """Whether *known* says how the same model did with the same options not long before."""
    return _kind(profile) == _kind(known) and profile.measured - known.measured < APART


def _kind(profile: Profile) -> tuple[object, ...]:
    options = json.dumps(dict(profile.options), default=str, sort_keys=True)  # what was kept came through JSON
    sizes = (profile.model_bytes, profile.context_length, profile.parallel)
    return (profile.source, profile.machine, profile.backend, profile.threads, profile.spin, *sizes, options)
