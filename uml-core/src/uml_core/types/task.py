"""A task: a path of the HTTP face, what its body looks like, and how a worker answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from pydantic import BaseModel


class WorkerResponse(Protocol):
    """A worker's answer while it arrives. Closing it early cancels the work in the engine."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self) -> bytes: ...

    async def aclose(self) -> None: ...


class Worker(Protocol):
    """The worker that a request holds a lease on."""

    @property
    def model_id(self) -> str: ...

    async def post(self, path: str, body: Mapping[str, Any]) -> WorkerResponse: ...


@frozen(kw_only=True)
class Task:
    """One way to use a model over HTTP.

    ``name`` is the Hugging Face pipeline tag that the model must serve; ``path`` is the gateway's route. Several
    tasks may share a path: ``claims(body)`` takes a body, and exactly one task of a path has no ``claims`` and is
    its default. ``handle(request, worker)`` forwards the validated request and returns what the worker answers;
    an event stream in it is relayed frame by frame. ``probe(worker)`` asks a worker that has just loaded for the
    smallest answer there is, and raises a :class:`~uml_core.errors.UMLError` if that answer is none. ``stateless``
    says that a request may be asked again of a new worker when the first one died before its first word.
    ``finish_reason`` says that a stream of it is only whole if one came before its ``[DONE]``.
    """

    name: str
    path: str
    request: type[BaseModel]
    handle: Callable[[Any, Worker], Awaitable[WorkerResponse]]
    claims: Callable[[Mapping[str, Any]], bool] | None = None
    probe: Callable[[Worker], Awaitable[None]] | None = None
    stateless: bool = True
    finish_reason: bool = True
