"""``/v1/classify``, in the form of vLLM."""

from __future__ import annotations

from uml_core.tasks.numbers import Input, NumbersRequest, require_numbers
from uml_core.types import Task, Worker, WorkerResponse

PATH = "/v1/classify"


class CreateClassificationRequest(NumbersRequest):
    """The body of ``POST /v1/classify``."""

    input: Input


async def classify(request: CreateClassificationRequest, worker: Worker) -> WorkerResponse:
    """Forward a validated request to the worker."""
    return await worker.post(PATH, request.forwarded(worker.model_id))


async def probe(worker: Worker) -> None:
    """Ask for the class of one text.

    :raises ModelLoadError: there is none, or its probability is no number
    """
    await require_numbers(worker, PATH, {"input": "1"}, lambda answer: answer["data"][0]["probs"])


TASK = Task(name="text-classification", path=PATH, request=CreateClassificationRequest, handle=classify, probe=probe)
