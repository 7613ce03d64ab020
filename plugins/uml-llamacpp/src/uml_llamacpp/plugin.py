"""The backend `llamacpp`: GGUF through llama-cpp-python, in a Python worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import find_engine
from uml_core.host.ggml import View, accelerators, read_buffer
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
from uml_llamacpp.diagnosis import diagnose
from uml_llamacpp.memory import estimate, read_narrowed
from uml_llamacpp.options import Options, Settings

uml_api_version = API_VERSION

KNOBS: Mapping[Knob, str] = {
    "gpu_layers": "n_gpu_layers",
    "cpu_experts": "n_cpu_moe",
    "split": "tensor_split",
    "main_device": "main_gpu",
    "cache_type_k": "type_k",
    "cache_type_v": "type_v",
    "batch": "n_ubatch",
    "flash_attention": "flash_attn",
    "mapped": "use_mmap",
    "full_window": "swa_full",
    "cache_on_device": "offload_kqv",
}
TASKS = ("text-generation", "feature-extraction", "text-ranking")
ENVIRONMENT = {"GGML_NO_BACKTRACE": "1"}  # else its abort runs a debugger for seconds, whose lines hide the reason


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="llamacpp",
        formats=("gguf",),
        tasks=TASKS,
        options=Options,
        settings=Settings,
        engine="llama-cpp-python",
        knobs=KNOBS,
        parallel=64,
    )


@hookimpl
def uml_detect_backend(model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
    if model.format != "gguf":
        return None
    tasks = tuple(task for task in TASKS if task in model.tasks)
    if model.tasks and not tasks:
        return Rejected(f"is for {' and '.join(TASKS)}, not for {' and '.join(model.tasks)}")
    engine = find_engine("llama_cpp", interpreter=str(settings.get("python") or ""))
    if engine is None:
        return Rejected("llama-cpp-python is not installed", hint='pip install "uml-llamacpp[engine]" (it compiles)')
    build = engine.parent
    return Match(Level.SUPPORTED, "llama-cpp-python reads GGUF", tasks=tasks or None, devices=accelerators(build))


@hookimpl
def uml_estimate_memory(plan: Plan) -> MemoryEstimate | None:
    view = View.of(plan)
    return estimate(plan, view, ENVIRONMENT | view.environment(os.environ))


@hookimpl
def uml_launch_worker(plan: Plan) -> WorkerCommand:
    interpreter = str(plan.settings.get("python") or "")
    view = View.of(plan)
    return WorkerCommand.python(
        "uml_llamacpp.worker",
        interpreter=interpreter,
        env=ENVIRONMENT | view.environment(os.environ),
        memory=partial(read_narrowed, view) if view.narrowed else read_buffer,
    )


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
