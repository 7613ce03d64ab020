"""What a worker answered: a body, an error, or the frames of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from attrs import frozen

from uml_core.errors import UMLError
from uml_core.server.failure import error_of
from uml_core.types import WorkerResponse

DONE = "[DONE]"


@frozen
class Answer:
    """A whole answer."""

    status: int
    content_type: str
    text: str
    _error_codes: Mapping[str, str]

    @classmethod
    async def read(cls, response: WorkerResponse, error_codes: Mapping[str, str]) -> Self:
        """Read *response* to its end; it must be UTF-8."""
        try:
            data = await response.read()
        finally:
            await response.aclose()
        return cls(response.status, response.headers.get("content-type", ""), data.decode("utf-8"), error_codes)

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> Mapping[str, Any]:
        """The error, checked for the shape that OpenAI's has.

        :raises AssertionError: it hasn't
        """
        body = self.body
        assert isinstance(body, dict), f"the error is no JSON object: {self.text[:200]}"
        error = body.get("error")
        assert isinstance(error, dict), f"there is no `error` object in {self.text[:200]}"
        assert isinstance(error.get("message"), str), f"`error.message` is missing in {self.text[:200]}"
        assert isinstance(error.get("type"), str), f"`error.type` is missing in {self.text[:200]}"
        return error

    @property
    def code(self) -> str:
        """The OpenAI code of the error, translated by the command's ``error_codes`` as the gateway does."""
        return str(self.passed_on.code or self.error.get("code"))

    @property
    def passed_on(self) -> UMLError:
        """The error as the gateway passes it on."""
        assert self.error
        return error_of(self.text.encode(), status=self.status, codes=self._error_codes)

    @property
    def frames(self) -> Sequence[str]:
        """The data of each event of a stream, the closing ``[DONE]`` too.

        :raises AssertionError: the stream is cut off in the middle of an event
        """
        text = self.text.replace("\r\n", "\n")
        assert text.endswith("\n\n"), f"the stream ends within a frame: …{text[-100:]!r}"
        events = (event for event in text.split("\n\n") if event)
        lines = (line for event in events for line in event.split("\n"))
        return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]

    @property
    def chunks(self) -> Sequence[dict[str, Any]]:
        """The JSON objects of a stream."""
        return [json.loads(frame) for frame in self.frames if frame != DONE]
