"""OpenAI's wire format: the events of a stream and the body of a whole answer."""

from __future__ import annotations

import abc
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from uml_core.worker.delta import Delta
from uml_core.worker.events import DONE, event, quote
from uml_core.worker.message import Message
from uml_core.worker.transcript import Finish
from uml_core.worker.usage import usage


class Frames(abc.ABC):
    """The *n* answers to one request in the shape of its path, all text in ASCII.

    What is the same in every event of a stream is encoded once.
    """

    prefix: ClassVar[str]
    kind: ClassVar[str]
    chunk_kind: ClassVar[str]

    def __init__(self, model_id: str, *, n: int = 1) -> None:
        created = int(time.time())
        self._head = {"id": f"{self.prefix}-{secrets.token_hex(12)}", "created": created, "model": model_id}
        self._n = n
        self._around = [self._split(self._chunk(self._choice(index, Delta("\0")))) for index in range(n)]

    def opening(self) -> str:
        """The events before the first text."""
        return ""

    def part(self, index: int, content: str | Delta) -> str:
        """The event for the next part of answer *index*."""
        if isinstance(content, str):
            before, after = self._around[index]
            return f"{before}{quote(content)}{after}"
        return event(self._chunk(self._choice(index, content)))

    def closing(self, index: int, finish: Finish) -> str:
        """The event that says why answer *index* has ended."""
        return event(self._chunk(self._end(index, finish.reason)))

    def ending(self, finishes: Collection[Finish] | None) -> str:
        """The usage, if the client asked for it, and the mark of success."""
        return (event({**self._chunk(), "usage": usage(finishes)}) if finishes else "") + DONE

    def whole(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The body of an answer that isn't streamed."""
        finishes = [message.finish for message in messages if message.finish]
        choices = [self._final(index, message) for index, message in enumerate(messages)]
        return {**self._head, "object": self.kind, "choices": choices, "usage": usage(finishes)}

    def _chunk(self, *choices: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._head, "object": self.chunk_kind, "choices": choices}

    @staticmethod
    def _split(chunk: Mapping[str, Any]) -> tuple[str, str]:
        before, after = event(chunk).split(quote("\0"))
        return before, after

    @abc.abstractmethod
    def _choice(self, index: int, delta: Delta) -> dict[str, Any]:
        """A choice of a stream's event."""

    @abc.abstractmethod
    def _end(self, index: int, reason: str) -> dict[str, Any]:
        """The choice of an answer's last event."""

    @abc.abstractmethod
    def _final(self, index: int, message: Message) -> dict[str, Any]:
        """The choice of a whole answer."""
