"""A task's path: from the body to the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from uml_core.errors import BadRequestError, TaskNotSupportedError
from uml_core.server.attempts import Attempts
from uml_core.server.attendance import Attendance
from uml_core.server.choice import ModelChoice
from uml_core.server.errors import invalid_body
from uml_core.server.exchange import Exchange
from uml_core.server.journal import Journal
from uml_core.server.json import parsed
from uml_core.server.pace import Pace
from uml_core.server.question import Question
from uml_core.types import Task


class TaskEndpoint:
    """One path: picks the task, validates the body once, and has it answered. An ASGI app."""

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        choice: ModelChoice,
        attempts: Attempts,
        journal: Journal,
        pace: Pace,
        limit_s: float,
    ) -> None:
        """Take *tasks* of one path.

        :param limit_s: the longest that an answer may take
        """
        self._tasks = sorted(tasks, key=lambda task: task.claims is None)  # the default comes last
        self._choice = choice
        self._attempts = attempts
        self._journal = journal
        self._pace = pace
        self._limit_s = limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the exchange has it
        exchange = Exchange.of(scope)
        raw = (await receive())["body"]
        body = parsed(raw)
        task = self._pick(body)
        request = _validated(task.request, body)
        limit_s = _shortened(self._limit_s, scope["headers"])
        async with Attendance(exchange, receive, pace=self._pace, limit_s=limit_s) as attendance:
            model = await self._choice.model(body)
            question = Question.of(task, request, model=model, raw=raw, wants_usage=_wants_usage(body))
            self._journal.begin(exchange, question, streamed=body.get("stream") is True)
            await self._attempts.answer(question, attendance)

    def _pick(self, body: Mapping[str, Any]) -> Task:
        for task in self._tasks:
            if task.claims is None or task.claims(body):
                return task
        raise TaskNotSupportedError(f"no task at '{self._tasks[0].path}' takes a body like this one")


def _validated(kind: type[BaseModel], body: Mapping[str, Any]) -> BaseModel:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise invalid_body(error.errors(include_url=False, include_context=False, include_input=False)) from None


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _shortened(limit_s: float, headers: list[tuple[bytes, bytes]]) -> float:
    """The limit, or what ``X-Request-Timeout`` says if that is less.

    :raises BadRequestError: it says something that is no time
    """
    for name, value in headers:
        if name == b"x-request-timeout":
            try:
                asked_s = float(value)
            except ValueError:
                asked_s = 0.0
            if not asked_s > 0:
                raise BadRequestError("'X-Request-Timeout' must be a number of seconds above 0")
            limit_s = min(limit_s, asked_s)
    return limit_s
