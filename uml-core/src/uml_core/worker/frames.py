"""OpenAI's wire format: the events of a stream and the body of a whole answer."""

from __future__ import annotations

import abc
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from uml_core.worker.delta import Delta
from uml_core.worker.events import DONE, event, quote
from uml_core.worker.message import Message
from uml_core.worker.transcript import Finish
from uml_core.worker.usage import usage


@frozen
class Shape:
    """How many answers a request has: ``n`` to each of its prompts, one prompt after the other."""

    prompts: int = 1
    n: int = 1

    @property
    def answers(self) -> int:
        return self.prompts * self.n


class Frames(abc.ABC):
    """The answers to one request in the form of its path, all text in ASCII.

    What is the same in every event of a stream is encoded once.
    """

    prefix: ClassVar[str]
    kind: ClassVar[str]
    chunk_kind: ClassVar[str]

    def __init__(self, model_id: str, shape: Shape) -> None:
        created = int(time.time())
        self._head = {"id": f"{self.prefix}-{secrets.token_hex(12)}", "created": created, "model": model_id}
        self.shape = shape
        self._around = [self._split(self._chunk(self._choice(at, Delta("\0")))) for at in range(shape.answers)]

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

    def ending(self, finishes: Mapping[int, Finish] | None) -> str:
        """The usage, if the client asked for it, and the mark of success."""
        return (event({**self._chunk(), "usage": self._cost(finishes)}) if finishes else "") + DONE

    def whole(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The body of an answer that isn't streamed."""
        finishes = {index: message.finish for index, message in enumerate(messages) if message.finish}
        choices = [self._final(index, message) for index, message in enumerate(messages)]
        return {**self._head, "object": self.kind, "choices": choices, "usage": self._cost(finishes)}

    def _cost(self, finishes: Mapping[int, Finish]) -> dict[str, Any]:
        to_prompts: dict[int, list[Finish]] = {}
        for index, finish in finishes.items():
            to_prompts.setdefault(index // self.shape.n, []).append(finish)
        return usage(list(to_prompts.values()))

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
