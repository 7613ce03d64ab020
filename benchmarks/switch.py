"""A switch from one model to another and back, against the engines alone, and where its time goes.

    python benchmarks/switch.py [--backend llamaserver] [--rounds 10] [--json]

Two names of one real file, with contexts of different lengths. Alone: the very command that the gateway had started,
from its start until it is ready, and from TERM to its end. Budget: the old engine's exit + the new engine's load +
0.5 s, after the drain.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil
from attrs import frozen
from gateway_process import MODEL, gateway, model_path, request, spread, surroundings
from proving.bare import Bare, Engine, run_bare

CONTEXT = {MODEL: 2048, "other": 1024}
PHASES = ("check_s", "drain_s", "unload_s", "start_s", "probe_s")
SLACK_S = 0.5


@frozen(kw_only=True)
class Way:
    """One direction: what its switches took, and what the two engines took alone, round by round."""

    name: str
    switch_s: Sequence[float]
    exit_s: Sequence[float]
    load_s: Sequence[float]
    jobs: Sequence[str]

    @property
    def budget_s(self) -> float:
        return statistics.median(self.exit_s) + statistics.median(self.load_s) + SLACK_S

    @property
    def ratio(self) -> float:
        """How much longer a switch takes than exit and load alone, side by side."""
        pairs = zip(self.switch_s, self.exit_s, self.load_s, strict=True)
        return statistics.median(switch / (exit + load) for switch, exit, load in pairs)

    @property
    def within(self) -> bool:
        return statistics.median(self.switch_s) <= self.budget_s


def load(url: str, model: str, backend: str) -> dict[str, Any]:
    body = {"model": model, "backend": backend, "context_length": CONTEXT[model], "wait": True}
    status, job = request(url, "POST", "/load_model", body)
    assert status == 200, job
    view: dict[str, Any] = job
    return view


def engine_of(url: str) -> Engine:
    return Engine.of(psutil.Process(request(url, "GET", "/active_model")[1]["pid"]))


def switched(url: str, model: str, backend: str) -> tuple[float, str]:
    """From the order to its end, and the job's id."""
    began_s = perf_counter()
    job = load(url, model, backend)
    assert job["switched"], job
    return perf_counter() - began_s, job["id"]


def measure(url: str, backend: str, rounds: int) -> list[Way]:
    """Each round there and back, and both engines alone, so that what else runs meets all alike."""
    engines = {}
    for model in CONTEXT:
        load(url, model, backend)
        engines[model] = engine_of(url)
    taken: dict[str, list[tuple[float, str]]] = {model: [] for model in CONTEXT}
    alone: dict[str, list[Bare]] = {model: [] for model in CONTEXT}
    for _ in range(rounds):
        for model in CONTEXT:  # the one that is not loaded now
            taken[model].append(switched(url, model, backend))
            alone[model].append(run_bare(engines[model]))
    return [_way(old, new, taken[new], alone) for old, new in (tuple(CONTEXT), tuple(reversed(CONTEXT)))]


def _way(old: str, new: str, taken: Sequence[tuple[float, str]], alone: Mapping[str, Sequence[Bare]]) -> Way:
    return Way(
        name=f"{CONTEXT[old]} to {CONTEXT[new]} tokens of context",
        switch_s=[seconds for seconds, _ in taken],
        exit_s=[bare.exit_s for bare in alone[old]],
        load_s=[bare.load_s for bare in alone[new]],
        jobs=[job for _, job in taken],
    )


def phases(database: Path, jobs: Sequence[str]) -> dict[str, list[float]]:
    """What each phase of these jobs took, as the database has it; one that there was none of is left out."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(f"select id, seconds, {', '.join(PHASES)} from loads").fetchall()
    found = [dict(zip(("seconds", *PHASES), row[1:], strict=True)) for row in rows if row[0] in set(jobs)]
    return {name: [row[name] for row in found if row[name] is not None] for name in ("seconds", *PHASES)}


def show(ways: Sequence[Way], spent: Mapping[str, Sequence[float]]) -> None:
    print("| switch | measured | old exit alone | new load alone | ratio | budget | within |")
    print("|---|---|---|---|---|---|---|")
    for way in ways:
        within = "yes" if way.within else "no"
        print(
            f"| {way.name} | {spread(way.switch_s)} | {spread(way.exit_s)} | {spread(way.load_s)} "
            f"| {way.ratio:.2f} | {way.budget_s * 1000:.0f} ms | {within} |"
        )
    print("\n| phase of the job | took |\n|---|---|")
    for name, values in spent.items():
        if values:
            print(f"| {name.removesuffix('_s')} | {spread(values)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backend", default="llamaserver")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not asked.json:
        print(surroundings())
    with gateway(UML_MODELS='{"other": {}}') as (process, url, data):  # else one model under two names
        (data / "models" / "other.gguf").symlink_to(model_path())
        ways = measure(url, asked.backend, asked.rounds)
        process.terminate()
        process.wait(60)
        spent = phases(data / "uml.db", [job for way in ways for job in way.jobs])
    if asked.json:
        said = [{"way": way.name, "switch_s": way.switch_s, "exit_s": way.exit_s, "load_s": way.load_s} for way in ways]
        print(json.dumps({"ways": said, "phases": spent}, indent=2))
    else:
        show(ways, spent)
        print(surroundings())
    return 0 if all(way.within for way in ways) else 1


if __name__ == "__main__":
    sys.exit(main())
