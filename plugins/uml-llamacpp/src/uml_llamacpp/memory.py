"""What the worker takes, as llama.cpp lays it out beforehand."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from uml_core.host.ggml import probe
from uml_core.types import MemoryEstimate, Plan


def estimate(plan: Plan, env: Mapping[str, str]) -> MemoryEstimate | None:
    """What llama.cpp lays out for *plan*."""
    from uml_core.supervisor.environment import (
        worker_environment,
    )  # not before it is needed: it takes its package along

    numbers = {"context_length": plan.context_length, "threads": plan.threads}
    said = {"path": str(plan.model.path), "options": dict(plan.options), **numbers}
    argv = (str(plan.settings.get("python") or sys.executable), "-P", "-m", "uml_llamacpp.probe")
    return probe(argv, env=worker_environment(os.environ, passed=(), own=env, launch={}), said=json.dumps(said))
