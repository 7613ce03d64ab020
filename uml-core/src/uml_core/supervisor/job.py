"""One switch on its way: to a model, or to an empty slot."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic

from attrs import field, mutable

from uml_core.errors import UMLError
from uml_core.types import JobKind, JobStatus, LoadProgress, LoadRequest, Plan, Release, SwitchState

ENDED = frozenset({SwitchState.COMMITTED, SwitchState.ROLLED_BACK, SwitchState.FAILED, SwitchState.CANCELLED})


def new_id() -> str:
    return f"job_{secrets.token_hex(6)}"


@mutable(eq=False)
class Job:
    """A switch to the model of ``request`` or ``plan``, or to an empty slot when both are None.

    ``explicit`` says that somebody asked for it, and not only a request that needs the model. ``generation`` limits an
    emptying to that one; any when None. ``delay_s`` is the pause before a restart, which ``hurry`` cuts short.
    ``cancelled`` is what those who wait are told, once somebody has cancelled it; ``quiet`` that they are told nothing.
    ``kept``: it is written down; the end of the gateway is not, for it says nothing about what people want loaded.
    """

    kind: JobKind
    request: LoadRequest | None = field(kw_only=True, default=None)
    reason: str = field(kw_only=True)
    allow_path: bool = field(kw_only=True, default=False)
    explicit: bool = field(kw_only=True, default=True)
    plan: Plan | None = field(kw_only=True, default=None)
    generation: int | None = field(kw_only=True, default=None)
    delay_s: float = field(kw_only=True, default=0.0)
    kept: bool = field(kw_only=True, default=True)
    id: str = field(factory=new_id, init=False)
    state: SwitchState = field(default=SwitchState.QUEUED, init=False)
    stage: str = field(default="queued", init=False)
    created: datetime = field(factory=lambda: datetime.now(UTC), init=False)
    created_s: float = field(factory=monotonic, init=False)
    finished: datetime | None = field(default=None, init=False)
    seconds: float | None = field(default=None, init=False)
    phases: dict[str, float] = field(factory=dict, init=False)
    expected_s: float | None = field(default=None, init=False)
    part: float = field(default=0.0, init=False)
    previous: Plan | None = field(default=None, init=False)
    switched: bool = field(default=False, init=False)
    rolled_back: bool = field(default=False, init=False)
    cause: UMLError | None = field(default=None, init=False)
    rollback_cause: UMLError | None = field(default=None, init=False)
    release: Release | None = field(default=None, init=False)
    port: int | None = field(default=None, init=False)
    cancelled: UMLError | None = field(default=None, init=False)
    quiet: bool = field(default=False, init=False)
    hurry: asyncio.Event = field(factory=asyncio.Event, init=False)
    ended: asyncio.Event = field(factory=asyncio.Event, init=False)
    waiting: int = field(default=0, init=False)

    @property
    def names_only(self) -> bool:
        """Whether only a model was named, and nothing said on how to load it."""
        return self.request is not None and self.request == LoadRequest(model=self.request.model)

    @property
    def is_over(self) -> bool:
        return self.state in ENDED

    def leads_to(self, model: str) -> bool:
        """Whether this job will load what *model* names."""
        names = {self.request.model if self.request else None, self.plan.model_id if self.plan else None}
        return model in names

    def joins(self, request: LoadRequest, *, allow_path: bool) -> bool:
        """Whether an explicit load of *request* may share this job."""
        return self.request == request and self.allow_path == allow_path and self.cancelled is None

    @contextmanager
    def phase(self, name: str, stage: str | None = None) -> Iterator[None]:
        """Count the time of the block under *name*; *stage* is what people are told meanwhile."""
        self.stage, begun_s = stage or self.stage, monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + monotonic() - begun_s

    def finish(self, state: SwitchState) -> None:
        """Set the end; whoever waits goes on."""
        self.state = state
        self.finished = datetime.now(UTC)
        self.seconds = monotonic() - self.created_s
        self.ended.set()

    def status(self, *, position: int = 0, progress: LoadProgress | None = None) -> JobStatus:
        """A copy for others."""
        return JobStatus(
            id=self.id,
            kind=self.kind,
            state=self.state,
            request=self.request,
            reason=self.reason,
            created=self.created,
            finished=self.finished,
            position=position,
            waiting=self.waiting,
            progress=None if self.is_over else progress,
            plan=self.plan,
            previous=self.previous.model_id if self.previous else None,
            switched=self.switched,
            rolled_back=self.rolled_back,
            cause=self.cause,
            rollback_cause=self.rollback_cause,
            release=self.release,
            seconds=self.seconds,
            rollback_seconds=self.phases.get("rollback"),
            port=self.port,
        )
