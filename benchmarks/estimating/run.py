"""Run a case in a process of its own, and set what it held against what the formula says."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import evolve

from estimating.case import KINDS, Case, Result
from uml_core.inspection import inspect
from uml_core.inspection.plugin import uml_model_formats
from uml_core.planning.estimate import Estimator
from uml_core.types import ModelCard

HERE = Path(__file__).parent
LIMIT_S = 500
STEADY = {"MALLOC_MMAP_THRESHOLD_": str(2**18), "MALLOC_TRIM_THRESHOLD_": str(2**18)}
"""Otherwise the C library decides by what was freed before how much it keeps: torch's use differs by 50 MB."""


class ChildError(Exception):
    """The engine did not load the model; the text is its last words."""


def run(case: Case, *, python: str = sys.executable) -> Result:
    """Measure *case*.

    :raises ChildError: the engine refuses the model, or is not there
    """
    seen = _child(case, python)
    copied, cache = seen["copied"], seen["kv_cache"]
    grown = seen["used"]["anonymous"] - seen["empty"]["anonymous"]
    measured = {
        "weights": seen["used"]["mapped"] + copied,
        "kv_cache": cache,
        "compute": grown - cache - copied,
        "overhead": seen["empty"]["anonymous"],
    }
    return Result(
        case=case, predicted=_predicted(case, _empty(case.engine, str(case.model), python)), measured=measured
    )


def _child(case: Case, python: str) -> Any:
    words = [python, str(HERE / f"{case.engine}_child.py"), json.dumps(case.told())]
    environment = {**os.environ, **STEADY} if case.engine == "torch" else None
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=environment)
    if done.returncode or not done.stdout:
        raise ChildError((done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


@functools.cache
def _empty(engine: str, model: str, python: str) -> int:
    """What the child holds with nothing loaded, of a run of its own: this is measured once for each engine."""
    smallest = Case(name="", engine=engine, model=Path(model), context_length=256)
    return int(_child(smallest, python)["empty"]["anonymous"])


@functools.cache
def _card(model: Path) -> ModelCard:
    return inspect(model, tuple(uml_model_formats()))


def _predicted(case: Case, empty_bytes: int) -> dict[str, int]:
    estimator = Estimator(_card(case.model), backend_overhead_bytes=empty_bytes, serves=case.engine == "xllama")
    estimate = estimator.at(context_length=case.context_length, parallel=case.parallel, placement=case.placement)
    if not case.full:  # only so many tokens were looked back at as were computed
        first = tuple(evolve(part, size_bytes=part.low_bytes) for part in estimate.parts if part.kind == "compute")
        estimate = estimate.replaced(first)
    return {kind: estimate.bytes_of(kind) for kind in KINDS}
