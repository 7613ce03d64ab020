"""``/v1/completions``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from uml_core.tasks.probe import probe
from uml_core.tasks.sampling import SamplingRequest
from uml_core.types import Task, Worker, WorkerResponse

PATH = "/v1/completions"
Token = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=2**24)]


class CreateCompletionRequest(SamplingRequest):
    """The body of ``POST /v1/completions``."""

    prompt: str | Tokens | Annotated[list[str] | list[Tokens], Field(min_length=1, max_length=64)]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=5)
    best_of: int | None = Field(None, ge=1, le=16)


async def complete(request: CreateCompletionRequest, worker: Worker) -> WorkerResponse:
    """Forward a validated prompt to the worker."""
    return await worker.post(PATH, request.forwarded(worker.model_id))


TASK = Task(name="text-generation", path=PATH, request=CreateCompletionRequest, handle=complete, probe=probe)
