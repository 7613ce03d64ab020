"""Real clients and a real engine, while workers and gateways are killed: what is answered, cut, lost and left over.

    python benchmarks/chaos.py [--backend llamaserver] [--requests 3200] [--minutes 60] [--every 10]
                               [--gateway-kills 50] [--clients 8] [--seed 1] [--json]

Eight clients ask without a pause, every second request a stream, each with an answer that is known beforehand. First
the worker's engine is killed once per 10 s, then, 50 times, the gateway itself, which is started again as a service
manager would. When it kills is decided by the tokens that the clients have seen. Ends with code 1 if a promise is
broken; docs/reliability.md says which there are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from gateway_process import MODEL, model_path, surroundings
from proving.chaos import Orders, Seen, run
from proving.verdict import Count, broken_promises, count


def orders() -> tuple[Orders, bool]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    usual = Orders()
    parser.add_argument("--backend", default=usual.backend)
    parser.add_argument("--requests", type=int, default=usual.requests, help="requests while workers are killed")
    parser.add_argument("--minutes", type=float, default=usual.limit_s / 60, help="the longest that may take")
    parser.add_argument("--every", type=float, default=usual.every_s, help="seconds from kill to kill, at least")
    parser.add_argument("--gateway-kills", type=int, default=usual.gateway_kills)
    parser.add_argument("--clients", type=int, default=usual.clients)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    given = Orders(
        backend=asked.backend,
        requests=asked.requests,
        limit_s=asked.minutes * 60,
        every_s=asked.every,
        gateway_kills=asked.gateway_kills,
        clients=asked.clients,
        seed=asked.seed,
    )
    return given, asked.json


def table(seen: Seen) -> list[tuple[str, str, str, str]]:
    """A row for each figure: while workers, while gateways were killed, and both together."""
    counts = [count(seen.workers), count(seen.gateways), count(seen.workers, seen.gateways)]
    strikes = [seen.workers.strikes, seen.gateways.strikes, [*seen.workers.strikes, *seen.gateways.strikes]]

    def row(name: str, *cells: object) -> tuple[str, str, str, str]:
        first, second, third = (str(cell) for cell in cells)
        return name, first, second, third

    def each(name: str, of: Any) -> tuple[str, str, str, str]:
        return row(name, *(of(one) for one in counts))

    return [
        row("kills", *(len(some) for some in strikes)),
        each("requests, but for those apart", lambda one: one.asked),
        each("answered whole", lambda one: one.asked - one.failed),
        each("availability", lambda one: f"{one.availability:.3%}"),
        each("at least, with 95 % confidence", lambda one: f"{one.surely:.3%}"),
        each("silent truncations", lambda one: one.silent),
        each("whole answers that differ from the known ones", lambda one: one.wrong),
        each("apart: streams cut after their first frame, each with an error frame", lambda one: one.cut),
        each("apart: on their way when the gateway was killed", lambda one: one.apart - one.unreached),
        each("apart: found no gateway", lambda one: one.unreached),
        each("attempts a request", _attempts),
        each("kill to the next first token, p50 / p95 / longest", _recovery),
        row("processes of the killed that lived for 2 s more", *(sum(len(x.orphans) for x in s) for s in strikes)),
        row("longest life after the kill", *(f"{max((x.buried_s for x in s), default=0):.2f} s" for s in strikes)),
    ]


def _attempts(one: Count) -> str:
    return ", ".join(f"{tries}: {number}" for tries, number in sorted(one.attempts.items()))


def _recovery(one: Count) -> str:
    if not one.recovery_s:
        return "-"
    return " / ".join(f"{one.recovered(part):.2f}" for part in (0.5, 0.95, 1.0)) + " s"


def show(seen: Seen) -> None:
    print("| | worker killed | gateway killed | both |\n|---|---|---|---|")
    for cells in table(seen):
        print(f"| {' | '.join(cells)} |")
    rows, before, after = seen.rows, seen.before, seen.after
    said = ", ".join(f"{number} {status}" for status, number in sorted(rows.by_status.items()))
    print(f"\nrows: {rows.total} ({said}); lost {rows.missing}, double {rows.double}, without an end {rows.open}, ")
    print(f"untrue {rows.untrue}, whole answers whose gateway was killed in the instant after: {rows.late}")
    print(f"gateway: {before.rss_bytes / 1e6:.1f} MB and {before.fds} descriptors before the first phase, ")
    print(
        f"{after.rss_bytes / 1e6:.1f} MB and {after.fds} after it; SIGTERM: code {seen.exit_code}, {seen.end_s:.1f} s"
    )
    codes = count(seen.workers, seen.gateways).codes
    print(f"errors seen: {', '.join(f'{code} {number}' for code, number in sorted(codes.items())) or 'none'}")
    print(f"seed {seen.orders.seed}; {seen.workers.seconds:.0f} s and {seen.gateways.seconds:.0f} s")


def as_json(seen: Seen) -> dict[str, Any]:
    return {
        "seed": seen.orders.seed,
        "backend": seen.orders.backend,
        "table": [dict(zip(("figure", "workers", "gateways", "both"), cells, strict=True)) for cells in table(seen)],
        "rows": {"missing": seen.rows.missing, "double": seen.rows.double, "open": seen.rows.open},
        "recovery_s": [round(value, 3) for value in count(seen.workers, seen.gateways).recovery_s],
        "gateway": {
            "rss_bytes": [seen.before.rss_bytes, seen.after.rss_bytes],
            "fds": [seen.before.fds, seen.after.fds],
        },
        "broken": broken_promises(seen),
    }


def main() -> int:
    given, wants_json = orders()
    if not wants_json:
        print(surroundings())
    seen = asyncio.run(run(MODEL, model_path(), given))
    broken = broken_promises(seen)
    if wants_json:
        print(json.dumps(as_json(seen), indent=2))
        return bool(broken)
    show(seen)
    print(surroundings())
    for sentence in broken:
        print(f"BROKEN: {sentence}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
