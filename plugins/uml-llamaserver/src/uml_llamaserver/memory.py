"""What the worker takes: as llama.cpp lays it out beforehand, and as its log says of a load."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from uml_core.host.ggml import View, probe, read_buffer, read_overhead
from uml_core.types import MemoryEstimate, MemoryPart, Plan

PROBE = Path(__file__).with_name("probe.py")  # by its path, as the server


def estimate(plan: Plan, view: View, env: Mapping[str, str]) -> MemoryEstimate | None:
    """What the package lays out for *plan*; a program of the user's own has no way to do only that."""
    from uml_core.supervisor.environment import (
        worker_environment,
    )  # not before it is needed: it takes its package along

    if plan.settings.get("binary"):
        return None
    model = {"path": str(plan.model.path)}
    numbers = {"context_length": plan.context_length, "parallel": plan.parallel, "threads": plan.threads}
    told = {"model": model, "model_id": plan.model_id, "tasks": plan.tasks, "options": dict(plan.options)}
    said = {"plan": {**told, **numbers}}
    argv = (str(plan.settings.get("python") or sys.executable), "-P", str(PROBE))
    seen = worker_environment(os.environ, passed=(), own=env, launch={})
    return view.estimate_outside(probe(argv, env=seen, said=json.dumps(said)))


def read_memory(line: str) -> MemoryPart | None:
    """What one line of the log tells: of the server itself, or of our script before it loaded anything."""
    return read_overhead(line) or read_buffer(line)


def read_narrowed(view: View, line: str) -> MemoryPart | None:
    """The same of a worker that has other numbers for the devices."""
    part = read_memory(line)
    return part and view.outside(part)
