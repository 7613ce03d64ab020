"""Whether a worker is at work, seen from outside."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Self

import psutil
from attrs import frozen

from uml_core.supervisor.process import marked
from uml_core.testing.conformance.live import Live

LOOK_S = 0.25
RESTING_CPU = 0.2
"""The part of one core that a resting worker may use; a token of a real model takes all of it."""


@frozen
class Effort:
    """The worker's own counter of activity, and the CPU time of its processes."""

    activity: Any
    cpu_s: float

    @classmethod
    def of(cls, live: Live) -> Self:
        """Look now."""
        activity = None
        answer = live.get(live.witness.commands[-1].ready_path)
        with contextlib.suppress(ValueError, AttributeError):
            activity = answer.body.get("activity")
        return cls(activity, sum(map(_cpu_s, marked(live.witness.launches[-1].launch_id))))

    @classmethod
    def is_resting(cls, live: Live) -> bool:
        """Look twice, a quarter of a second apart."""
        first = cls.of(live)
        time.sleep(LOOK_S)
        second = cls.of(live)
        return first.activity == second.activity and second.cpu_s - first.cpu_s < RESTING_CPU * LOOK_S


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
