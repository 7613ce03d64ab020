"""The kills: first of workers, then of gateways, while a crowd asks without a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import monotonic

from attrs import field, frozen, mutable

from proving.client import Told
from proving.crowd import Crowd
from proving.question import THINGS, learn
from proving.rows import Rows, compare
from proving.service import Broken, Service, service
from proving.strike import Strike
from proving.traces import Held, buried, held_by, launches

SETTINGS = '[models."{model}"]\nbackend = "{backend}"\ncontext_length = 512\nparallel = 4\n'
RECOVERY_S = 120.0
QUIET_S = 1.5
"""After the last request, until connections are closed and what was sampled is let go."""

LOADING = frozenset({"launching", "loading", "probing"})


@frozen(kw_only=True)
class Orders:
    """How much of everything: workers are killed until *requests* have ended or *limit_s* has passed."""

    backend: str = "llamaserver"
    requests: int = 3200
    limit_s: float = 3600.0
    every_s: float = 10.0
    gateway_kills: int = 50
    clients: int = 8
    things: Sequence[str] = THINGS
    seed: int = 1


@mutable
class Phase:
    """What was asked and what was struck in one part of a run."""

    told: list[Told] = field(factory=list)
    strikes: list[Strike] = field(factory=list)
    seconds: float = 0.0


@frozen(kw_only=True)
class Seen:
    """All that a run showed; memory and descriptors are the first gateway's, with nothing asked."""

    orders: Orders
    workers: Phase
    gateways: Phase
    before: Held
    after: Held
    rows: Rows
    exit_code: int
    end_s: float


class Chaos:
    """One run on one service."""

    def __init__(self, served: Service, crowd: Crowd, orders: Orders) -> None:
        self._service = served
        self._crowd = crowd
        self._orders = orders
        self._random = Random(orders.seed)
        self._strikes: list[Strike] = []
        crowd.on_tokens = self._see

    def _see(self, told: Told) -> None:
        for strike in self._strikes[-2:]:
            strike.see(told)

    async def kill_workers(self) -> Phase:
        """Kill the engine again and again, each time when so and so many more tokens have been seen."""
        began_s = monotonic()
        until_s = began_s + self._orders.limit_s
        async with self._crowd.asking(self._orders.clients):
            while not self._over(until_s):
                await self._crowd.ended.reach(self._orders.requests, limit_s=self._orders.every_s)
                if not self._over(until_s) and await self._tokens(1, 60):
                    await self._kill_worker()
            await self._recovered()
        return self._phase(began_s)

    def _over(self, until_s: float) -> bool:
        return self._crowd.ended.value >= self._orders.requests or monotonic() > until_s

    async def kill_gateways(self) -> Phase:
        """Kill the gateway again and again, and start the next one as a service manager would."""
        began_s = monotonic()
        async with self._crowd.asking(self._orders.clients):
            for number in range(self._orders.gateway_kills):
                moment = ("answering", "answering", "loading", "answering", "at once")[number % 5]
                await self._until(moment)
                await self._kill_gateway(moment)
            await self._recovered()
        return self._phase(began_s)

    async def _tokens(self, least: int, most: int) -> bool:
        """Wait for a number of further tokens that only the seed decides on."""
        number = self._crowd.tokens.value + self._random.randint(least, most)
        return await self._crowd.tokens.reach(number, limit_s=RECOVERY_S)

    async def _until(self, moment: str) -> None:
        if moment == "answering" and not await self._tokens(8, 120):
            raise Broken(f"no tokens came for {RECOVERY_S:.0f} s: {self._service.last_words()}")
        deadline = monotonic() + 10
        while moment == "loading" and (await self._service.active()).get("state") not in LOADING:
            if monotonic() > deadline:
                break
            await asyncio.sleep(0.01)

    async def _kill_worker(self) -> None:
        found = await self._service.engine()
        if found is None:
            return  # it is being started: there will be another time
        engine, generation = found
        strike = self._strike("worker", generation, "answering")
        engine.kill()
        ids = {path.name.rpartition("-")[2] for path in self._service.run_folder.glob(f"launch-{generation}-*")}
        strike.buried_s, strike.orphans = await asyncio.to_thread(buried, ids, strike.at_s)

    async def _kill_gateway(self, moment: str) -> None:
        generation = (await self._service.active()).get("generation", self._generation())
        strike = self._strike("gateway", generation, moment)
        await self._service.kill()
        ids = launches(self._service.run_folder)
        strike.buried_s, strike.orphans = await asyncio.to_thread(buried, ids, strike.at_s)
        await self._service.start()
        strike.ready_s = monotonic()

    def _generation(self) -> int:
        return max((strike.generation for strike in self._strikes), default=0)

    def _strike(self, target: str, generation: int, moment: str) -> Strike:
        for strike in self._strikes:
            strike.overtaken = strike.recovered_s is None
        strike = Strike(target, generation, moment)
        self._strikes.append(strike)
        return strike

    async def _recovered(self) -> None:
        """Wait until the last strike is over, if it ever is."""
        deadline = monotonic() + RECOVERY_S
        while self._strikes and self._strikes[-1].recovered_s is None and monotonic() < deadline:
            await asyncio.sleep(0.05)

    def _phase(self, began_s: float) -> Phase:
        phase = Phase(self._crowd.told.copy(), self._strikes.copy(), monotonic() - began_s)
        self._crowd.told.clear()
        self._strikes.clear()
        return phase


async def run(model: str, file: Path, orders: Orders) -> Seen:
    """All of it, on a service of its own.

    :raises Broken: it can't go on: a gateway does not start, or nobody gets an answer any more
    """
    with service({model: file}, settings=SETTINGS.format(model=model, backend=orders.backend)) as served:
        await served.start()
        known = await learn(served.url, model, tuple(orders.things))
        crowd = Crowd(served.url, model, known)
        chaos = Chaos(served, crowd, orders)
        await asyncio.sleep(QUIET_S)
        before = held_by(served.pid)
        workers = await chaos.kill_workers()
        await asyncio.sleep(QUIET_S)
        after = held_by(served.pid)
        gateways = await chaos.kill_gateways()
        ending_s = monotonic()
        exit_code = await served.end()
        end_s = monotonic() - ending_s
        told, strikes = [*workers.told, *gateways.told], [*workers.strikes, *gateways.strikes]
        rows = compare(served.folder / "uml.db", told, strikes)
    return Seen(
        orders=orders,
        workers=workers,
        gateways=gateways,
        before=before,
        after=after,
        rows=rows,
        exit_code=exit_code,
        end_s=end_s,
    )
