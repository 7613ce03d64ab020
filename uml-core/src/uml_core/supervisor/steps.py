"""The places of a switch where something can go wrong, by name, so that a test can make it go wrong at each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Step = Callable[[str], Awaitable[None]]
"""Called with the name of a step right before it; what it raises counts as the failure of that step."""

STEPS = (
    "check.plan",
    "check.decided",
    "evict.drain",
    "evict.drained",
    "end.measure",
    "end.stop",
    "end.stopped",
    "end.clean",
    "end.verify",
    "end.verified",
    "start.baseline",
    "start.launch",
    "start.launched",
    "start.loaded",
    "start.probe",
    "start.probed",
    "commit",
    "rollback",
)


async def nothing(step: str) -> None:
    """The step as it is."""
