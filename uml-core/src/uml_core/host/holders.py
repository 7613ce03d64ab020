"""The processes that hold most of the machine's memory."""

from __future__ import annotations

import heapq

import psutil

from uml_core.host.memory import quick_anon_bytes
from uml_core.types import Holder

MOST = 10
LEAST_BYTES = 64 << 20
"""What holds less is not worth a word."""


def memory_holders(*, most: int = MOST, least_bytes: int = LEAST_BYTES) -> tuple[Holder, ...]:
    """Name them, the largest first; takes 0.1 ms for each process of the machine.

    What counts is what their end would give back: no mapped files. A container sees its own processes only.
    """
    held = ((quick_anon_bytes((pid,)), pid) for pid in psutil.pids())
    largest = heapq.nlargest(most, (pair for pair in held if pair[0] >= least_bytes))
    named = ((size, pid, program_name(pid)) for size, pid in largest)
    return tuple(Holder(pid=pid, name=name, held_bytes=size) for size, pid, name in named if name)


def program_name(pid: int) -> str:
    """What the program of a process is called; empty if there is no such process."""
    try:
        return psutil.Process(pid).name() or f"process {pid}"
    except psutil.AccessDenied:
        return f"process {pid}"
    except psutil.Error:
        return ""
