"""A process whose disk gets full and has room again: ``filling.py FOLDER tmpfs|limit``; says what it saw as JSON.

For ``tmpfs`` FOLDER is a small file system of its own, and a ballast file takes the rest of it. For ``limit`` no file
may grow over a size, which the system says with an error much like that of a full disk.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from uml_core.storage import Storage

FOLDER, WAY = Path(sys.argv[1]), sys.argv[2]
ballast = FOLDER / "ballast"
events = []
took_s = []


def fill():
    if WAY == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        return
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def empty():
    if WAY == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        ballast.unlink()


def put(first, count):
    for number in range(first, first + count):
        begun = time.perf_counter()
        storage.put("requests", {"id": f"{number:06}", "status": "ok", "path": "/v1/chat/completions" * 5})
        took_s.append(time.perf_counter() - begun)


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, storage.degraded
        time.sleep(0.01)


async def ids():
    from sqlalchemy import text

    return [row["id"] for row in await storage.select(text("SELECT id FROM requests ORDER BY id"), limit_s=20)]


if WAY == "tmpfs":
    FOLDER.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", FOLDER], check=True)
storage = Storage(FOLDER / "data", on_event=lambda kind, facts: events.append(kind))
storage.start()
put(0, 100)
storage.flush()
assert storage.degraded is None, storage.degraded
fill()
put(100, 1500)  # more than the room that is left within files
until(lambda: storage.degraded)
degraded = storage.degraded
try:
    read_meanwhile = len(asyncio.run(ids()))
except Exception as error:
    read_meanwhile = str(error)
put(1600, 10_500)  # more than may wait
dropped_meanwhile = storage.dropped
empty()
until(lambda: storage.degraded is None)
put(12_100, 10)
kept = asyncio.run(ids())
storage.close()
print(
    json.dumps(
        {
            "degraded": degraded,
            "read_meanwhile": read_meanwhile,
            "dropped_meanwhile": dropped_meanwhile,
            "dropped": storage.dropped,
            "kept": len(kept),
            "newest_kept": kept[-10_010:] == [f"{number:06}" for number in range(2100, 12_110)],
            "events": events,
            "longest_s": max(took_s),
            "left": sorted(path.name for path in (FOLDER / "data").iterdir()),
        }
    )
)
