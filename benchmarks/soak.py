"""100 loads and unloads of a real model: the gateway's memory and descriptors, and the proof of each release.

    python benchmarks/soak.py [--backend llamaserver] [--cycles 100] [--warm-up 10] [--json]

Ends with code 1 if anything grows or is left over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from gateway_process import MODEL, model_path, spread, surroundings
from proving.soak import TOLERANCE_BYTES, Soaked, broken_promises, run


def show(soaked: Soaked) -> None:
    counted = soaked.counted
    fds = sorted({cycle.held.fds for cycle in counted})
    proven = sum(1 for cycle in soaked.cycles if cycle.release["proven"] and not cycle.leftover)
    freed = [cycle.release["freed"] for cycle in counted]
    print("| | measured | |\n|---|---|---|")
    print(f"| cycles | {len(counted)} after {soaked.warm_up} of warm-up | |")
    grown = f"{soaked.rss(0) / 1e6:.1f} MB, {soaked.rss(-1) / 1e6:.1f} MB in the last"
    print(f"| gateway's memory, median of the first third | {grown} | <= {TOLERANCE_BYTES / 1e6:.0f} MB more |")
    print(f"| gateway's descriptors after each cycle | {', '.join(map(str, fds))} | always the same |")
    print(
        f"| listening sockets | {soaked.before.listening} before, {counted[-1].held.listening} at the end | the same |"
    )
    print(f"| releases proven, nothing left over | {proven} of {len(soaked.cycles)} | all |")
    print(f"| given back by each | {spread(freed, 'MB', 1e-6)} | what it held |")
    print(f"| load | {spread([cycle.load_s for cycle in counted])} | |")
    print(f"| unload, the proof included | {spread([cycle.unload_s for cycle in counted])} | |")


def as_json(soaked: Soaked) -> str:
    return json.dumps(
        {
            "cycles": len(soaked.counted),
            "rss_bytes": [cycle.held.rss_bytes for cycle in soaked.cycles],
            "fds": [cycle.held.fds for cycle in soaked.cycles],
            "growth_bytes": soaked.growth_bytes,
            "broken": broken_promises(soaked),
        },
        indent=2,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backend", default="llamaserver")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not asked.json:
        print(surroundings())
    soaked = asyncio.run(run(MODEL, model_path(), backend=asked.backend, cycles=asked.cycles, warm_up=asked.warm_up))
    broken = broken_promises(soaked)
    if asked.json:
        print(as_json(soaked))
    else:
        show(soaked)
        print(surroundings())
        for sentence in broken:
            print(f"BROKEN: {sentence}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
