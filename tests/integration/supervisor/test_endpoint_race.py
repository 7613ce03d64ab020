"""A foreign server's port is released before it binds it: somebody else may be quicker."""

import asyncio
import sys

import pytest

from uml_core.errors import InternalServerError
from uml_core.types import LoadRequest

THIEF = """
import contextlib, socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as taken:
    print("taken", flush=True)
    kept = []
    while True:
        connection, _ = taken.accept()
        kept.append(connection)
        with contextlib.suppress(OSError):
            connection.sendall(sys.argv[2].encode())
"""
SILENT, STRANGER = "", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
"""Such a thief says nothing, or is what another gateway has launched: it doesn't know our token."""


@pytest.fixture
async def steal(house, monkeypatch):
    """Take the port of the next launches, as another program would, after the supervisor has released it."""
    thieves = []
    original = house.supervisor._slot._launcher._spawn
    left, says = [0], [SILENT]

    async def spawn(plan, command, launch, descriptors, log):
        if left[0]:
            left[0] -= 1
            thief = await asyncio.create_subprocess_exec(
                sys.executable, "-c", THIEF, str(launch.port), says[0], stdout=asyncio.subprocess.PIPE
            )
            thieves.append(thief)
            await thief.stdout.readline()
        return await original(plan, command, launch, descriptors, log)

    monkeypatch.setattr(house.supervisor._slot._launcher, "_spawn", spawn)

    def order(times, says_so=SILENT):
        left[0], says[0] = times, says_so

    yield order
    for thief in thieves:
        thief.kill()
        await thief.communicate()


@pytest.mark.parametrize("says", [SILENT, STRANGER], ids=["silent", "stranger"])
async def test_one_retry_on_another_port(house, steal, says):
    steal(1, says)
    await house.supervisor.load(LoadRequest(model=house.model("a", accepts="port")))
    assert len(house.backend.launches) == 2
    assert len(house.backend.cleanups) == 1


async def test_twice_is_an_error_that_names_the_thief(house, steal):
    steal(2)
    with pytest.raises(InternalServerError, match="python"):
        await house.supervisor.load(LoadRequest(model=house.model("a", accepts="port")))
