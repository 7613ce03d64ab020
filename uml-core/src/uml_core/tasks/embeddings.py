"""``/v1/embeddings``."""

from __future__ import annotations

import base64
import math
import struct
from functools import partial
from typing import Any, Literal

from pydantic import Field

from uml_core.errors import BadRequestError
from uml_core.tasks.numbers import Input, NumbersRequest, require_numbers, rewritten
from uml_core.types import Task, Worker, WorkerResponse

PATH = "/v1/embeddings"


class CreateEmbeddingRequest(NumbersRequest):
    """The body of ``POST /v1/embeddings``."""

    input: Input
    dimensions: int | None = Field(None, ge=1, le=2**20, description="cut each vector, and give it the length 1 again")
    encoding_format: Literal["float", "base64"] | None = None


async def embed(request: CreateEmbeddingRequest, worker: Worker) -> WorkerResponse:
    """Forward a validated request to the worker; vectors of an engine that can't cut them are cut here."""
    response = await worker.post(PATH, request.forwarded(worker.model_id))
    return response if request.dimensions is None else await rewritten(response, partial(_cut, request.dimensions))


def _cut(dimensions: int, body: dict[str, Any]) -> dict[str, Any]:
    data = [{**entry, "embedding": _cut_vector(dimensions, entry["embedding"])} for entry in body["data"]]
    return {**body, "data": data}


def _cut_vector(dimensions: int, vector: list[float] | str) -> list[float] | str:
    values = _decoded(vector) if isinstance(vector, str) else vector
    if len(values) < dimensions:
        raise BadRequestError(
            f"'dimensions' is {dimensions}, but this model's vectors have {len(values)}", param="dimensions"
        )
    if len(values) == dimensions:
        return vector
    length = math.hypot(*values[:dimensions]) or 1.0
    cut = [value / length for value in values[:dimensions]]
    return _encoded(cut) if isinstance(vector, str) else cut


def _decoded(vector: str) -> list[float]:
    raw = base64.b64decode(vector)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def _encoded(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode("ascii")


async def probe(worker: Worker) -> None:
    """Ask for the vector of one text.

    :raises ModelLoadError: there is none, or it holds something that is no number
    """
    await require_numbers(worker, PATH, {"input": "1"}, lambda answer: answer["data"][0]["embedding"])


TASK = Task(name="feature-extraction", path=PATH, request=CreateEmbeddingRequest, handle=embed, probe=probe)
