"""The real supervisor over real worker processes, and somebody who watches from outside that it keeps its word."""

import asyncio
import contextlib
import itertools
from types import SimpleNamespace

import pytest

for name in ("house", "observer"):
    pytest.register_assert_rewrite(f"{__package__}.{name}")

from . import observer  # noqa: E402
from .house import SETTLED_S, House  # noqa: E402


@pytest.fixture
def lifecycle():
    """The words that the tests of this folder share."""
    return SimpleNamespace(
        House=House,
        Observer=observer.Observer,
        watched=watched,
        processes=observer.processes,
        listening=observer.listening,
        lock_free=observer.lock_free,
        open_fds=observer.open_fds,
        SETTLED_S=SETTLED_S,
    )


@pytest.fixture
def make_house(tmp_path):
    numbers = itertools.count()
    return lambda **how: House(tmp_path / f"house-{next(numbers)}", **how)


@contextlib.asynccontextmanager
async def watched(house):
    """A running supervisor that is watched from its start until nothing is left of it."""
    watcher = observer.Observer(house)
    await watcher.begin()
    async with house.supervisor:
        yield watcher
        await watcher.check_settled()
    await watcher.check_closed()


async def until(condition):
    async with asyncio.timeout(SETTLED_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def eventually():
    return until


@pytest.fixture
def watch():
    return watched


@pytest.fixture
async def house(make_house):
    made = make_house()
    async with watched(made):
        yield made
