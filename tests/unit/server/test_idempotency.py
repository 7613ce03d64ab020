"""What is remembered of orders, and for how long."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from uml_core.errors import ConflictError, ModelNotFoundError
from uml_core.server.idempotency import KEEP_S, MOST_KEYS, Idempotency


class Counter:
    """Each order is a job of its own."""

    def __init__(self):
        self.given = 0

    async def __call__(self):
        self.given += 1
        return SimpleNamespace(id=str(self.given))


@pytest.fixture
def clock():
    return SimpleNamespace(now_s=0.0)


@pytest.fixture
def kept(clock):
    return Idempotency(clock=lambda: clock.now_s)


async def test_no_key_is_never_the_same(kept):
    submit = Counter()
    assert [(await kept.job(None, b"", submit)).id for _ in range(3)] == ["1", "2", "3"]


async def test_a_day_later_it_is_a_new_order(kept, clock):
    submit = Counter()
    assert (await kept.job("a", b"x", submit)).id == "1"
    clock.now_s = KEEP_S - 1
    assert (await kept.job("a", b"x", submit)).id == "1"
    clock.now_s = KEEP_S + 1
    assert (await kept.job("a", b"y", submit)).id == "2"


async def test_only_so_many_are_remembered_and_the_oldest_goes(kept):
    submit = Counter()
    for number in range(MOST_KEYS + 1):
        await kept.job(str(number), b"x", submit)
    assert (await kept.job("1", b"x", submit)).id == "2"
    assert (await kept.job("0", b"x", submit)).id == str(MOST_KEYS + 2)


async def test_an_order_under_way_is_found(kept):
    release, submit = asyncio.Event(), Counter()

    async def slow():
        await release.wait()
        return await submit()

    first, second = (asyncio.create_task(kept.job("a", b"x", slow)) for _ in range(2))
    await asyncio.sleep(0)
    with pytest.raises(ConflictError):
        await kept.job("a", b"y", submit)
    release.set()
    assert ((await first).id, (await second).id, submit.given) == ("1", "1", 1)


@pytest.mark.parametrize("key", [None, "a"])
async def test_who_leaves_takes_nothing_back(kept, key):
    release, submit = asyncio.Event(), Counter()

    async def slow():
        await release.wait()
        return await submit()

    left = asyncio.create_task(kept.job(key, b"x", slow))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    release.set()
    await asyncio.sleep(0.01)
    assert submit.given == 1


async def test_what_was_refused_is_forgotten(kept):
    async def refuse():
        raise ModelNotFoundError("there is none")

    for _ in range(2):
        with pytest.raises(ModelNotFoundError):
            await kept.job("a", b"x", refuse)
    assert (await kept.job("a", b"y", Counter())).id == "1"
