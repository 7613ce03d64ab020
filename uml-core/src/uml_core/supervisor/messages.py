"""What others may say to the task that owns all lifecycle state."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from attrs import field, frozen, mutable

from uml_core.types import LoadRequest, Plan, SwitchState

if TYPE_CHECKING:
    from uml_core.supervisor.client import WorkerClient


@frozen(eq=False)
class Acquire:
    """A request wants the worker of a model, loaded if need be."""

    request: LoadRequest
    task: str
    reply: asyncio.Future[Lease]


@frozen(eq=False)
class Release:
    """A request is done with its lease."""

    generation: int


@frozen(eq=False)
class Load:
    """Somebody asks for a model explicitly."""

    request: LoadRequest
    allow_path: bool
    reply: asyncio.Future[Plan]


@frozen(eq=False)
class Unload:
    """Somebody asks for an empty slot; the reply is the id of what was in it."""

    reply: asyncio.Future[str | None]


@frozen(eq=False)
class Exited:
    """The engine of a generation has ended."""

    generation: int


@frozen(eq=False)
class Drain:
    """The running job wants the slot without leases."""

    reply: asyncio.Future[None]


@frozen(eq=False)
class Finished:
    """The running job has ended, well or with an error."""

    job: Job
    error: BaseException | None


@frozen(eq=False)
class Stop:
    """The gateway goes down."""


Message = Acquire | Release | Load | Unload | Exited | Drain | Finished | Stop


@frozen(eq=False)
class Lease:
    """A request's hold on a generation."""

    generation: int
    worker: WorkerClient


@mutable(eq=False)
class Job:
    """A switch: to the model of ``request``, or to an empty slot when it is None."""

    request: LoadRequest | None
    reason: str
    allow_path: bool = False
    generation: int | None = None  # end this generation only; any when None
    state: SwitchState = SwitchState.CHECKING
    plan: Plan | None = None
    loads: list[asyncio.Future[Plan]] = field(factory=list)
    unloads: list[asyncio.Future[str | None]] = field(factory=list)
    acquires: list[Acquire] = field(factory=list)
    unloaded: str | None = None

    @property
    def names_only(self) -> bool:
        """Whether only a model was named, and nothing said on how to load it."""
        return self.request is not None and self.request == LoadRequest(model=self.request.model)

    def leads_to(self, request: LoadRequest) -> bool:
        """Whether this job will load what *request* names."""
        return self.plan is not None and self.plan.model_id == request.model

    def joins(self, load: Load) -> bool:
        """Whether an explicit load may share this job."""
        return self.request == load.request and self.allow_path == load.allow_path

    def refuse(self, error: BaseException) -> None:
        """Tell *error* to everybody who still waits."""
        for reply in self.waiting():
            if not reply.done():
                reply.set_exception(error)

    def waiting(self) -> list[asyncio.Future[Plan] | asyncio.Future[str | None] | asyncio.Future[Lease]]:
        return [*self.loads, *self.unloads, *(acquire.reply for acquire in self.acquires)]
