"""The processes that hold most of the machine's memory."""

from __future__ import annotations

import heapq
from pathlib import Path

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
    """What the program of a process is called, of Python with what it runs; empty if there is no such process."""
    try:
        process = psutil.Process(pid)
        name = process.name() or f"process {pid}"
        return f"{name} {_what_runs(process)}".rstrip() if name.startswith("python") else name
    except psutil.AccessDenied:
        return f"process {pid}"
    except psutil.Error:
        return ""


def _what_runs(process: psutil.Process) -> str:
    """The module or the script, without its folder: what else stands on a command line may be nobody's business."""
    try:
        words = process.cmdline()[1:]
    except psutil.Error:
        return ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in {"-m", "-c"}:
            return following.partition(" ")[0] if word == "-m" else ""
        if not word.startswith("-"):
            return Path(word).name
    return ""
