"""The backend `transformers`: safetensors and PyTorch models through transformers, in a Python worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.types import (
    BackendInfo,
    Diagnosis,
    HostInfo,
    Match,
    MemoryEstimate,
    ModelSource,
    Plan,
    Rejected,
    WorkerCommand,
    WorkerExit,
)
from uml_transformers.devices import environment
from uml_transformers.diagnosis import diagnose
from uml_transformers.memory import estimate
from uml_transformers.options import Options, Settings
from uml_transformers.verdict import TASKS, judge

uml_api_version = API_VERSION


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="transformers",
        formats=("safetensors", "pytorch"),
        tasks=TASKS,
        options=Options,
        settings=Settings,
        engine="transformers",
        knobs={"batch": "max_batch_tokens"},
        parallel=256,
    )


@hookimpl
def uml_detect_backend(model: ModelSource, host: HostInfo, settings: Mapping[str, Any]) -> Match | Rejected | None:
    return judge(model, host, settings)


@hookimpl
def uml_estimate_memory(plan: Plan) -> MemoryEstimate | None:
    return estimate(plan)


@hookimpl
def uml_launch_worker(plan: Plan) -> WorkerCommand:
    interpreter = str(plan.settings.get("python") or "")
    return WorkerCommand.python("uml_transformers.worker", interpreter=interpreter, env=environment(plan, os.environ))


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
