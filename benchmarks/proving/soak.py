"""The same model loaded and unloaded again and again: what grows in the gateway, and whether every end is proven."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from attrs import frozen

from proving.service import Service, service
from proving.traces import Held, held_by

TOLERANCE_BYTES = 3_000_000
"""What the last third's median may be above the first's: the history of 100 jobs fills up, and nothing else grows."""

QUESTION = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0}
PATIENCE_S = 120.0


@frozen(kw_only=True)
class Cycle:
    """One load, an answer, and the unload. ``held`` is the gateway's afterwards, ``files`` the run folder's content."""

    generation: int
    load_s: float
    unload_s: float
    release: dict[str, Any]
    held: Held
    files: frozenset[str]
    leftover: int


@frozen(kw_only=True)
class Soaked:
    """All cycles of a run, and how many of the first count as warm-up."""

    cycles: Sequence[Cycle]
    warm_up: int
    before: Held
    files: frozenset[str]

    @property
    def counted(self) -> Sequence[Cycle]:
        return self.cycles[self.warm_up :]

    def rss(self, third: int) -> float:
        """The median of resident bytes in the first (0) or the last (-1) third of the counted cycles."""
        size = max(1, len(self.counted) // 3)
        part = self.counted[:size] if third == 0 else self.counted[-size:]
        return median(cycle.held.rss_bytes for cycle in part)

    @property
    def growth_bytes(self) -> float:
        return self.rss(-1) - self.rss(0)


async def run(model: str, file: Path, *, backend: str, cycles: int, warm_up: int) -> Soaked:
    """Load and unload *model* so many times, the warm-up not counted."""
    with service({model: file}) as served:
        await served.start()
        async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_S) as client:
            await client.get("/livez")  # its connection is there from now on, and counts as one that was
            before, files = held_by(served.pid), _files(served)
            done = [await _cycle(served, client, model, backend) for _ in range(warm_up + cycles)]
        await served.end()
    return Soaked(cycles=done, warm_up=warm_up, before=before, files=files)


async def _cycle(served: Service, client: httpx.AsyncClient, model: str, backend: str) -> Cycle:
    load = {"model": model, "backend": backend, "context_length": 512, "wait": True}
    loaded = (await client.post("/load_model", json=load)).raise_for_status().json()
    generation = (await client.get("/active_model")).json()["generation"]
    (await client.post("/v1/chat/completions", json={"model": model, **QUESTION})).raise_for_status()
    unloaded = (await client.post("/unload_model", json={"wait": True})).raise_for_status().json()
    return Cycle(
        generation=generation,
        load_s=loaded["seconds"],
        unload_s=unloaded["seconds"],
        release=unloaded["release"],
        held=held_by(served.pid),
        files=_files(served),
        leftover=len(unloaded["release"]["leftover_pids"]),
    )


def _files(served: Service) -> frozenset[str]:
    return frozenset(path.name for path in served.run_folder.iterdir())


def broken_promises(soaked: Soaked) -> list[str]:
    """What must not have happened and did, a sentence each; empty when all is well."""
    counted, cycles = soaked.counted, soaked.cycles
    generations = [cycle.generation for cycle in cycles]
    fds, expected_files = {cycle.held.fds for cycle in counted}, soaked.files | {"slot-0.lock"}
    found = {
        f"the gateway grew by {soaked.growth_bytes / 1e6:.1f} MB": soaked.growth_bytes > TOLERANCE_BYTES,
        f"descriptors differ from cycle to cycle: {sorted(fds)}": len(fds) > 1,
        "a listening socket was left open": any(cycle.held.listening != soaked.before.listening for cycle in cycles),
        "a release was not proven": not all(cycle.release["proven"] for cycle in cycles),
        "a process was left over": any(cycle.leftover for cycle in cycles),
        "memory was not given back": any(cycle.release["freed"] < cycle.release["expected"] for cycle in cycles),
        "files were left in the run folder": any(cycle.files - expected_files for cycle in cycles),
        "generations don't rise": any(later <= earlier for earlier, later in pairwise(generations)),
    }
    return [sentence for sentence, is_so in found.items() if is_so]
