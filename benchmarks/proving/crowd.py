"""Clients that ask without a pause."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from proving.client import Outcome, Told, ask
from proving.counter import Counter
from proving.question import Known, Question

PATIENCE_S = 180.0
PAUSE_S = 0.2
"""Before a client whose connection broke tries again."""


class Crowd:
    """What all clients saw: ``told`` is each request that has ended, ``tokens`` are those of all answers so far.

    ``on_tokens`` is called with a request whenever something of its answer has come.
    """

    def __init__(self, url: str, model: str, known: Mapping[str, Known]) -> None:
        self.told: list[Told] = []
        self.tokens = Counter()
        self.ended = Counter()
        self.on_tokens: Callable[[Told], None] = lambda _: None
        self._url = url
        self._model = model
        self._known = known
        self._things = tuple(known)
        self._numbers = itertools.count(1)
        self._stopping = False

    @asynccontextmanager
    async def asking(self, clients: int) -> AsyncIterator[None]:
        """Ask with so many clients; at the end the last request of each is waited for."""
        self._stopping = False
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._ask_on())
            try:
                yield
            finally:
                self._stopping = True

    async def _ask_on(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE_S) as client:
            while not self._stopping:
                question = self._question(next(self._numbers))
                told = await ask(client, question, self._known[question.thing], self._see)
                self.told.append(told)
                self.ended.add()
                if told.outcome is Outcome.BROKEN:
                    await asyncio.sleep(PAUSE_S)

    def _question(self, number: int) -> Question:
        """Every second one is a stream, and each thing is asked for in both ways."""
        thing = self._things[number // 2 % len(self._things)]
        return Question(number=number, thing=thing, streamed=number % 2 == 0, model=self._model)

    def _see(self, told: Told, tokens: int) -> None:
        self.on_tokens(told)
        self.tokens.add(tokens)
