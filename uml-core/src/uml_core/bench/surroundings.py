"""What else goes on on this machine while something is measured."""

from __future__ import annotations

import os

import psutil
from attrs import frozen

LOOK_S = 0.5
QUIET_CORES = 0.3
"""What a machine that nobody uses does by itself."""


@frozen(kw_only=True)
class Surroundings:
    """How much of the machine others use: cores at work just now, and the mean of processes that want one."""

    used_cores: float
    cores: int
    load_average: float | None

    @property
    def quiet(self) -> bool:
        """Whether a measurement tells of the model, not of its neighbours."""
        return self.used_cores <= QUIET_CORES

    def __str__(self) -> str:
        load = "" if self.load_average is None else f", load average {self.load_average:.1f}"
        return f"other programs use {self.used_cores:.1f} of {self.cores} cores{load}"


def look_around() -> Surroundings:
    """Look for half a second."""
    cores = psutil.cpu_count() or 1
    used = psutil.cpu_percent(interval=LOOK_S) / 100 * cores
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Surroundings(used_cores=used, cores=cores, load_average=load)
