"""``/v1/rerank``, in the form of Jina, Cohere and llama.cpp."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, Field

from uml_core.tasks.numbers import MOST_TEXTS, NumbersRequest, Text, in_words, require_numbers, rewritten
from uml_core.types import Task, Worker, WorkerResponse

PATH = "/v1/rerank"


class RerankDocument(BaseModel):
    """A document as an object."""

    text: Text


Document = Annotated[Text | RerankDocument, in_words("a text, or an object with a 'text', and not empty")]


class CreateRerankRequest(NumbersRequest):
    """The body of ``POST /v1/rerank``."""

    query: Text
    documents: Annotated[list[Document], Field(min_length=1, max_length=MOST_TEXTS)]
    top_n: int | None = Field(None, ge=1, le=2**20, description="only the best so many")
    return_documents: bool | None = Field(None, description="send each document's text back with its score")

    @property
    def texts(self) -> list[str]:
        """The documents without what is around them."""
        return [document if isinstance(document, str) else document.text for document in self.documents]

    def forwarded(self, model_id: str) -> dict[str, Any]:
        body = {**super().forwarded(model_id), "documents": self.texts}
        body.pop("return_documents", None)  # they need not go there and back
        return body


async def rank(request: CreateRerankRequest, worker: Worker) -> WorkerResponse:
    """Forward a validated request to the worker."""
    response = await worker.post(PATH, request.forwarded(worker.model_id))
    return await rewritten(response, partial(_with_texts, request.texts)) if request.return_documents else response


def _with_texts(texts: list[str], body: dict[str, Any]) -> dict[str, Any]:
    results = [{**result, "document": {"text": texts[result["index"]]}} for result in body["results"]]
    return {**body, "results": results}


async def probe(worker: Worker) -> None:
    """Ask for the score of one document.

    :raises ModelLoadError: there is none, or it is no number
    """
    body = {"query": "1", "documents": ["2"]}
    await require_numbers(worker, PATH, body, lambda answer: [answer["results"][0]["relevance_score"]])


TASK = Task(name="text-ranking", path=PATH, request=CreateRerankRequest, handle=rank, probe=probe)
