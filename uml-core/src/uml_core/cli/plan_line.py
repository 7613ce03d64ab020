"""A plan in one line, for who waits for its load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.cli.amounts import Unit, amount, interval
from uml_core.cli.output import plain, say, stderr

View = Mapping[str, Any]
BY_PLAN = frozenset({"evicting", "starting"})
"""The states in which a job does what its plan says."""


def plan_line(job: View) -> str | None:
    """``plan: 7.9 GB ± 0.3 (6.3 of 7.6 GB on cuda:0, 1.6 of 12.1 GB of memory), 16,384 tokens, from 6 loads here``.

    :param job: the view of a job; None is said of one that has no plan yet, or of which nobody knows what it takes
    """
    memory = job.get("memory")
    if not memory or job.get("context_length") is None:
        return None
    devices = ", ".join(_device(device) for device in memory["devices"])
    return ", ".join(
        filter(
            None,
            [
                f"plan: {needs(memory)}" + (f" ({devices})" if devices else ""),
                f"{job['context_length']:,} tokens",
                learned(memory),
                "forced: it doesn't fit" if memory["forced"] else "",
            ],
        )
    )


def tell_plan(job: View) -> bool:
    """Tell a person at a terminal, once something is done by the plan; whether there was something to tell.

    :param job: the view of a job as it is now
    """
    line = plan_line(job) if job["state"] in BY_PLAN else None
    if line is not None and stderr().is_terminal:
        say(plain(line), style="dim")
    return line is not None


def needs(memory: View) -> str:
    """What it takes in all."""
    return interval(memory["needs_bytes"], memory["low_bytes"], memory["high_bytes"])


def learned(memory: View) -> str:
    """What the estimate was learned from, if from something."""
    loads = memory["loads"]
    return f"from {loads} load{'' if loads == 1 else 's'} here" if loads else ""


def _device(device: View) -> str:
    there, place = device["budget_bytes"], "of memory" if device["device"] == "cpu" else f"on {device['device']}"
    if there is None:
        return f"{amount(device['needs_bytes'])} {place}"
    unit = Unit.of([there])
    return f"{unit.bare(device['needs_bytes'])} of {unit.whole(there)} {place}"
