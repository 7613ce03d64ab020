"""What others may say to the task that owns all lifecycle state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen, mutable

from uml_core.errors import UMLError
from uml_core.supervisor.job import Job
from uml_core.types import LoadRequest

if TYPE_CHECKING:
    from uml_core.supervisor.client import WorkerClient


@frozen(eq=False)
class Ticket:
    """Who asks for a lease.

    ``id`` is what people see in the queue. ``fingerprint`` is the same for requests that ask the same, so that one
    that makes workers crash is known again. ``attempt`` counts from 1. ``revoke`` ends the work on the request.
    """

    id: str = ""
    fingerprint: bytes | None = None
    attempt: int = 1
    revoke: Callable[[UMLError], None] | None = None


@mutable(eq=False)
class Acquire:
    """A request wants the worker of a model, loaded if need be."""

    request: LoadRequest
    task: str
    ticket: Ticket
    reply: asyncio.Future[Lease]
    since_s: float = 0.0


@mutable(eq=False)
class Lease:
    """A request's hold on a generation. ``queue_s`` is how long it waited for it.

    Who holds it may write down the tokens of its prompt and of its answer, for as far as the worker said.
    """

    number: int
    generation: int
    worker: WorkerClient
    queue_s: float
    prompt_tokens: int = 0
    completion_tokens: int = 0


@frozen(eq=False)
class Return:
    """A request is done with its lease.

    *served* says that it had its answer, *broken* that its connection broke: the news of the worker's end may come
    after that.
    """

    number: int
    served: bool
    broken: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


@frozen(eq=False)
class Load:
    """Somebody asks for a model explicitly; the reply is the job, new or joined."""

    request: LoadRequest
    allow_path: bool
    reply: asyncio.Future[Job]


@frozen(eq=False)
class Unload:
    """Somebody asks for an empty slot."""

    reply: asyncio.Future[Job]


@frozen(eq=False)
class Cancel:
    """Somebody wants a job to end."""

    job_id: str
    reply: asyncio.Future[Job]


@frozen(eq=False)
class Exited:
    """The engine of a generation has ended."""

    generation: int


@frozen(eq=False)
class Hung:
    """A worker does not move any more."""

    generation: int
    reason: str


@frozen(eq=False)
class Recycle:
    """A worker leaks, and a new one of the same plan is to take its place."""

    generation: int
    reason: str


@frozen(eq=False)
class Drain:
    """The running job wants the slot without leases; the reply comes with the return of the last one."""

    reply: asyncio.Future[None]


@frozen(eq=False)
class Revoke:
    """The running job can't wait any longer: whoever still holds a lease is told *error*."""

    error: UMLError


@frozen(eq=False)
class Undrain:
    """The running job leaves the slot as it is."""


@frozen(eq=False)
class Finished:
    """The running job has ended, well or with an error."""

    job: Job
    error: BaseException | None


@frozen(eq=False)
class Look:
    """Time has passed that somebody waited for."""


@frozen(eq=False)
class Stop:
    """The gateway goes down."""


Message = (
    Acquire
    | Return
    | Load
    | Unload
    | Cancel
    | Exited
    | Hung
    | Recycle
    | Drain
    | Revoke
    | Undrain
    | Finished
    | Look
    | Stop
)


@frozen(kw_only=True)
class Waiting:
    """A request in the queue, for people to look at; ``position`` counts from 1."""

    id: str
    model: str
    task: str
    position: int
    waited_s: float
