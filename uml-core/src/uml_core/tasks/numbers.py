"""What the tasks have in common whose answers are numbers: how they are asked, proved and rewritten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any

from attrs import frozen
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError, to_json

from uml_core.errors import ModelLoadError
from uml_core.tasks.probe import is_number, read, require_answer
from uml_core.types import Worker, WorkerResponse

MOST_TEXTS = 2048
Text = Annotated[str, StringConstraints(min_length=1)]
Token = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=2**20)]


def in_words(sentence: str) -> WrapValidator:
    """One *sentence* of what a field should be, where pydantic has one for each of the kinds that it may be of."""

    def check(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
        try:
            return inner(value)
        except ValidationError:
            parts = value if isinstance(value, list) else []
            empty = next((f"; number {at} is empty" for at, part in enumerate(parts) if part in ("", [])), "")
            raise PydanticCustomError("wrong_kind", "{said}", {"said": f"Input should be {sentence}{empty}"}) from None

    return WrapValidator(check)


Input = Annotated[
    Text | Tokens | Annotated[list[Text] | list[Tokens], Field(min_length=1, max_length=MOST_TEXTS)],
    in_words(f"a text, token numbers, or a list of up to {MOST_TEXTS} texts or of such lists, none of them empty"),
]
"""A text or several, each as it is or as the model's own token numbers."""


class NumbersRequest(BaseModel):
    """The fields of all requests for numbers. Unknown fields are ignored and reach no engine."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: str | None = Field(
        None, max_length=512, description="id or alias of `GET /v1/models`; what is loaded when absent"
    )
    truncate: bool | None = Field(None, description="cut what is too long for the model, instead of refusing it")

    def forwarded(self, model_id: str) -> dict[str, Any]:
        """What the worker gets: the fields that the client set, and the model's own name."""
        return {**self.model_dump(exclude_unset=True, exclude_none=True), "model": model_id}


@frozen
class Rewritten:
    """An answer of a worker's with another body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.body

    async def read(self) -> bytes:
        return self.body

    async def aclose(self) -> None:
        """It was closed when it was rewritten."""


async def rewritten(response: WorkerResponse, change: Callable[[dict[str, Any]], dict[str, Any]]) -> WorkerResponse:
    """Send the body of an answer through *change*; an error stays as it is."""
    if response.status != 200:
        return response
    headers = response.headers
    status, body = await read(response)
    return Rewritten(
        status, {"content-type": headers.get("content-type", "application/json")}, to_json(change({**body}))
    )


async def require_numbers(
    worker: Worker, path: str, body: Mapping[str, Any], find: Callable[[Mapping[str, Any]], Any]
) -> None:
    """Ask for numbers, and go on only if they are some.

    :param find: takes them out of the body of the answer
    :raises ModelLoadError: there are none, or they are no numbers
    :raises WorkerCrashedError: the worker ended over it
    """
    status, answer = await read(await worker.post(path, {"model": worker.model_id, **body}))
    require_answer(worker.model_id, status, answer, asked="the numbers of one text")
    try:
        numbers = find(answer)
    except (KeyError, IndexError, TypeError):
        numbers = ()
    if not isinstance(numbers, list) or not numbers or not all(map(is_number, numbers)):
        raise ModelLoadError(
            f"model '{worker.model_id}' is loaded, but what it computes is no number; its file may be damaged (fetch "
            "it again), or its engine be at fault (try another backend, or the CPU)"
        )
