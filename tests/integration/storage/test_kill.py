"""No row is lost by a kill: what was put, and said to be put, is in the database after the next start."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text

from uml_core.storage.tables import requests

PUTTING = Path(__file__).with_name("putting.py")
# Some kills come before the database is open, most while it is written.
KILLS = [random.Random(number).choice([1, 300, 3_000, 10_000, 30_000]) for number in range(50)]


@pytest.mark.parametrize(
    "rows",
    [1, 1_000, 6_000, *(pytest.param(rows, marks=pytest.mark.proof, id=f"proof-{i}") for i, rows in enumerate(KILLS))],
)
async def test_kill(begin, folder, rows):
    said = {}
    for run in ("one", "two"):  # the second time over what the first has left
        said |= killed(folder, run, rows)
    storage = begin("after")
    found = await storage.select(select(requests.c.id, requests.c.status), limit_s=30)
    status = {row["id"]: row["status"] for row in found}
    assert {name: status.get(name) for name in said} == said
    assert len(status) - len(said) in range(3)  # one each time that was put, but not said any more
    assert set(status.values()) <= {"ok", "aborted"}
    assert await storage.select(text("PRAGMA integrity_check"), limit_s=30) == [{"integrity_check": "ok"}]
    assert storage.events == []


def killed(folder, run, rows):
    """What a process said, that was killed after it had said that many."""
    child = subprocess.Popen([sys.executable, PUTTING, folder, run], stdout=subprocess.PIPE)
    try:
        lines = [child.stdout.readline() for _ in range(rows)]
    finally:
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
    whole = [*lines, *rest[: rest.rfind(b"\n") + 1].splitlines()]
    return dict(line.decode().split() for line in whole)
