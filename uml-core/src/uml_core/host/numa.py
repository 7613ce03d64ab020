"""How many parts the machine's memory has that are not equally near to every core."""

from __future__ import annotations

from pathlib import Path

NODES = Path("/sys/devices/system/node")
STATUS = Path("/proc/self/status")
ALLOWED = "Mems_allowed_list:"


def count_numa_nodes(*, nodes: Path = NODES, status: Path = STATUS) -> int:
    """Count the nodes that have memory which this process may use, at least one."""
    try:
        having = numbers((nodes / "has_memory").read_text())
        lines = status.read_text("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        return 1
    allowed = next((line.removeprefix(ALLOWED) for line in lines if line.startswith(ALLOWED)), "")
    try:
        return max(1, len(having & numbers(allowed) if allowed.strip() else having))
    except ValueError:
        return 1


def numbers(ranges: str) -> set[int]:
    """What Linux writes as ``0-3,8``.

    :raises ValueError: it is something else
    """
    found: set[int] = set()
    for part in filter(None, ranges.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
