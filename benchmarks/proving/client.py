"""One request, and all that a careful client can tell about how it went."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from time import monotonic
from typing import Any

import httpx
from attrs import define, field

from proving.question import Known, Question


class Outcome(enum.StrEnum):
    """How a request ended, as its client saw it."""

    WHOLE = "answered whole"
    REFUSED = "an error and no data"
    CUT = "cut after its first frame, with an error frame"
    BROKEN = "the connection broke"
    SILENT = "ended as if it were whole, without [DONE] and without an error"
    WRONG = "whole, but not the known answer"


@define(eq=False)
class Told:
    """What became of *question*. Times are monotonic seconds; ``first_s`` is when its first data came."""

    question: Question
    began_s: float = field(factory=monotonic)
    ended_s: float = 0.0
    first_s: float | None = None
    status: int | None = None
    generation: int | None = None
    attempts: int = 1
    code: str | None = None
    text: str = ""
    reason: str | None = None
    outcome: Outcome = Outcome.BROKEN

    def meet(self, response: httpx.Response) -> None:
        """Note what the head of the answer says."""
        self.status = response.status_code
        self.generation = int(response.headers.get("x-uml-generation", "0")) or None
        self.attempts = int(response.headers.get("x-uml-attempts", "1"))


OnTokens = Callable[[Told, int], None]
"""Called with each token, or with how many there are in an answer that came as one."""


async def ask(client: httpx.AsyncClient, question: Question, known: Known, on_tokens: OnTokens) -> Told:
    """Send *question* and follow the answer to its end, whatever that is."""
    told = Told(question)
    try:
        async with client.stream(
            "POST", "/v1/chat/completions", json=question.body, headers={"X-Request-Id": question.id}
        ) as response:
            told.meet(response)
            if response.status_code == 200 and question.streamed:
                told.outcome = await _follow(response, told, on_tokens)
            else:
                told.outcome = _read(json.loads(await response.aread()), told, on_tokens)
    except (httpx.TransportError, ValueError) as error:
        told.outcome, told.code = Outcome.BROKEN, type(error).__name__
    if told.outcome is Outcome.WHOLE and told.text != known.text:
        told.outcome = Outcome.WRONG
    told.ended_s = monotonic()
    return told


async def _follow(response: httpx.Response, told: Told, on_tokens: OnTokens) -> Outcome:
    done = False
    async for line in response.aiter_lines():
        if not line.startswith("data: "):
            continue
        if line == "data: [DONE]":
            done = True
            continue
        frame = json.loads(line.removeprefix("data: "))
        if "error" in frame:
            told.code = frame["error"]["code"]
            return Outcome.REFUSED if told.first_s is None else Outcome.CUT
        _take(frame, told, on_tokens)
    return Outcome.WHOLE if done and told.reason else Outcome.SILENT


def _take(frame: dict[str, Any], told: Told, on_tokens: OnTokens) -> None:
    if told.first_s is None:
        told.first_s = monotonic()
    for choice in frame["choices"]:
        told.reason = choice["finish_reason"] or told.reason
        if content := choice["delta"].get("content"):
            told.text += content
            on_tokens(told, 1)


def _read(answer: dict[str, Any], told: Told, on_tokens: OnTokens) -> Outcome:
    if "error" in answer:
        told.code = answer["error"]["code"]
        return Outcome.REFUSED
    told.first_s = monotonic()
    told.text = answer["choices"][0]["message"]["content"]
    on_tokens(told, answer["usage"]["completion_tokens"])
    return Outcome.WHOLE
