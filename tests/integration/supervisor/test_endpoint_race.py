"""A foreign server's port is released before it binds it: somebody else may be quicker."""

import asyncio
import sys

import pytest

from uml_core.errors import InternalServerError
from uml_core.types import LoadRequest

THIEF = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as taken:
    print("taken", flush=True)
    time.sleep(60)
"""


@pytest.fixture
async def steal(house, monkeypatch):
    """Take the port of the next launches, as another program would, after the supervisor has released it."""
    thieves = []
    original = house.supervisor._slot._launcher._spawn
    left = [0]

    async def spawn(command, launch, descriptors, log):
        if left[0]:
            left[0] -= 1
            thief = await asyncio.create_subprocess_exec(
                sys.executable, "-c", THIEF, str(launch.port), stdout=asyncio.subprocess.PIPE
            )
            thieves.append(thief)
            await thief.stdout.readline()
        return await original(command, launch, descriptors, log)

    monkeypatch.setattr(house.supervisor._slot._launcher, "_spawn", spawn)
    yield lambda times: left.__setitem__(0, times)
    for thief in thieves:
        thief.kill()
        await thief.communicate()


async def test_one_retry_on_another_port(house, steal):
    steal(1)
    await house.supervisor.load(LoadRequest(model=house.model("a", accepts="port")))
    assert len(house.backend.launches) == 2
    assert len(house.backend.cleanups) == 1


async def test_twice_is_an_error_that_names_the_thief(house, steal):
    steal(2)
    with pytest.raises(InternalServerError, match="python"):
        await house.supervisor.load(LoadRequest(model=house.model("a", accepts="port")))
