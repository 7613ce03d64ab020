"""Ask a worker, and another one if the first died before its first word."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from attrs import frozen

from uml_core.errors import WorkerCrashedError
from uml_core.server.attendance import Attendance
from uml_core.server.exchange import Exchange
from uml_core.server.performance import Performance
from uml_core.server.question import Question
from uml_core.server.relay import relay
from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.messages import Ticket

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor


@frozen(eq=False)
class Crash:
    """A worker that ended, or seemed to, before anything of its answer was passed on."""

    generation: int
    error: WorkerCrashedError


class Attempts:
    """Borrows workers for questions, as often as the supervisor lets it."""

    def __init__(self, *, supervisor: Supervisor, performance: Performance, wait_s: float) -> None:
        """Remember whom to ask.

        :param wait_s: how long a question waits for its model
        """
        self._supervisor = supervisor
        self._performance = performance
        self._wait_s = wait_s

    async def answer(self, question: Question, attendance: Attendance) -> None:
        """Pass an answer to *question* on.

        It is asked again only after the end of a worker is certain: one that is alive has said what it had to say, and
        one that is silent may be at work. How often that may be is the supervisor's to say, when it's asked for a
        lease.

        :raises UMLError: there is none, or not all of it; what has been passed on by then stays
        """
        while (crash := await self._attempt(question, attendance)) is not None:
            if await self._supervisor.crash_of(crash.generation) is None:
                raise crash.error
            attendance.exchange.attempts += 1

    async def _attempt(self, question: Question, attendance: Attendance) -> Crash | None:
        exchange, task, generation = attendance.exchange, question.task, None
        ticket = Ticket(exchange.id, question.fingerprint, exchange.attempts, exchange.interrupt)
        try:
            async with self._supervisor.lease(question.load, task.name, wait_s=self._wait_s, ticket=ticket) as lease:
                generation = exchange.generation = lease.generation
                exchange.model = lease.worker.model_id
                exchange.queue_s += lease.queue_s
                await self._ask(question, attendance, lease.worker)
                lease.prompt_tokens = exchange.usage.prompt_tokens or 0
                lease.completion_tokens = exchange.usage.completion_tokens or 0
        except WorkerCrashedError as error:
            if generation is None or not task.stateless or _has_begun(exchange):
                raise
            return Crash(generation, error)
        return None

    async def _ask(self, question: Question, attendance: Attendance, worker: WorkerClient) -> None:
        asked_s = monotonic()
        response = await question.task.handle(question.request, worker)
        try:
            await relay(response, attendance, worker, question)
        finally:
            await response.aclose()
        self._record(attendance.exchange, worker.generation, asked_s)

    def _record(self, exchange: Exchange, generation: int, asked_s: float) -> None:
        first_s = exchange.first_s
        self._performance.record(
            generation,
            tokens=exchange.usage.completion_tokens,
            first_token_s=None if first_s is None else first_s - asked_s,
            decoding_s=monotonic() - (asked_s if first_s is None else first_s),
        )


def _has_begun(exchange: Exchange) -> bool:
    """Whether anything of an answer was passed on; a stream's head, and comments in it, are nothing yet."""
    return exchange.first_s is not None or (exchange.status is not None and not exchange.streams)
