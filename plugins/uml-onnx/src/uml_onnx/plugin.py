"""The backend `onnx`: graphs that read and write text, through onnxruntime in a Python worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import find_engine
from uml_core.types import (
    BackendInfo,
    Diagnosis,
    Knob,
    Level,
    Match,
    MemoryEstimate,
    ModelSource,
    Plan,
    Rejected,
    WorkerCommand,
    WorkerExit,
)
from uml_onnx.diagnosis import diagnose
from uml_onnx.memory_use import estimate
from uml_onnx.options import Options, Settings
from uml_onnx.providers import installed_devices
from uml_onnx.suitability import FORMATS, TASKS, tasks_of

uml_api_version = API_VERSION

KNOBS: Mapping[Knob, str] = {"main_device": "device_id", "batch": "batch"}
ENVIRONMENT = {"ORT_DISABLE_TELEMETRY": "1"}


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="onnx",
        formats=FORMATS,
        tasks=TASKS,
        options=Options,
        settings=Settings,
        engine="onnxruntime",
        knobs=KNOBS,
    )


@hookimpl
def uml_detect_backend(model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
    if model.format not in FORMATS:
        return None
    tasks = tasks_of(model)
    if isinstance(tasks, Rejected):
        return tasks
    engine = find_engine("onnxruntime", interpreter=str(settings.get("python") or ""))
    if engine is None:
        return Rejected("onnxruntime is not installed", hint='pip install "uml-onnx[engine]"')
    return Match(Level.NATIVE, "onnxruntime is made for ONNX", tasks=tasks, devices=installed_devices(engine.parent))


@hookimpl
def uml_estimate_memory(plan: Plan) -> MemoryEstimate | None:
    return estimate(plan)


@hookimpl
def uml_launch_worker(plan: Plan) -> WorkerCommand:
    return WorkerCommand.python("uml_onnx.worker", interpreter=str(plan.settings.get("python") or ""), env=ENVIRONMENT)


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
