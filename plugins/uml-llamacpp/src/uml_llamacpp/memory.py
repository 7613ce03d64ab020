"""What the worker takes: as llama.cpp lays it out beforehand, and as its log says of a load."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from uml_core.host.ggml import View, probe, read_buffer
from uml_core.types import MemoryEstimate, MemoryPart, Plan


def estimate(plan: Plan, view: View, env: Mapping[str, str]) -> MemoryEstimate | None:
    """What llama.cpp lays out for *plan*."""
    from uml_core.supervisor.environment import (
        worker_environment,
    )  # not before it is needed: it takes its package along

    numbers = {"context_length": plan.context_length, "parallel": plan.parallel, "threads": plan.threads}
    said = {"path": str(plan.model.path), "tasks": plan.tasks, "options": dict(plan.options), **numbers}
    argv = (str(plan.settings.get("python") or sys.executable), "-P", "-m", "uml_llamacpp.probe")
    seen = worker_environment(os.environ, passed=(), own=env, launch={})
    return view.estimate_outside(probe(argv, env=seen, said=json.dumps(said)))


def read_narrowed(view: View, line: str) -> MemoryPart | None:
    """What a line of the log tells, of a worker that has other numbers for the devices."""
    part = read_buffer(line)
    return part and view.outside(part)
