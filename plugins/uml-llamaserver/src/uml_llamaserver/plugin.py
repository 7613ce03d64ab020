"""The backend `llamaserver`: llama.cpp's own HTTP server, in the xllamacpp package or as a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import find_engine
from uml_core.host.ggml import View, accelerators
from uml_core.types import (
    BackendInfo,
    Diagnosis,
    Knob,
    Launch,
    Level,
    Match,
    MemoryEstimate,
    ModelSource,
    Plan,
    Rejected,
    WorkerCommand,
    WorkerExit,
)
from uml_llamaserver.adapt import adapt
from uml_llamaserver.diagnosis import diagnose
from uml_llamaserver.flags import argv
from uml_llamaserver.memory import estimate, read_memory, read_narrowed
from uml_llamaserver.options import Options, Settings

uml_api_version = API_VERSION

SERVER = Path(__file__).with_name("server.py")  # by its path: another Python need not have this package
KNOBS: Mapping[Knob, str] = {
    "gpu_layers": "n_gpu_layers",
    "cpu_experts": "n_cpu_moe",
    "split": "tensor_split",
    "main_device": "main_gpu",
    "cache_type_k": "cache_type_k",
    "cache_type_v": "cache_type_v",
    "batch": "n_ubatch",
    "flash_attention": "flash_attn",
    "mapped": "load_mode",
    "full_window": "swa_full",
    "cache_on_device": "kv_offload",
}
ENVIRONMENT = {"GGML_NO_BACKTRACE": "1"}  # else its abort runs a debugger for seconds, whose lines hide the reason
TASKS = ("text-generation", "feature-extraction", "text-ranking")
ERROR_CODES = {
    "is too large to process": "context_length_exceeded",  # of a text to embed; its type is that of any failure
    "exceed_context_size_error": "context_length_exceeded",
    "not_supported_error": "task_not_supported",
    "unavailable_error": "model_loading",
}


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="llamaserver", formats=("gguf",), tasks=TASKS,
        options=Options, settings=Settings, engine="xllamacpp", knobs=KNOBS,
    )  # fmt: skip


@hookimpl
def uml_detect_backend(model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
    if model.format != "gguf":
        return None
    binary, python = settings.get("binary"), str(settings.get("python") or "")
    if binary is not None and not os.access(binary, os.X_OK):
        return Rejected(f"'{binary}' is no program", hint="correct `binary` in [plugins.llamaserver] of uml.toml")
    package = None if binary is not None else find_engine("xllamacpp", interpreter=python)
    if binary is None and package is None:
        return Rejected("xllamacpp is not installed", hint=f"{python or 'python'} -m pip install xllamacpp")
    tasks = tuple(task for task in TASKS if task in model.tasks)
    if model.tasks and not tasks:
        return Rejected(f"is for {' and '.join(TASKS)}, not for {' and '.join(model.tasks)}")
    build = package.parent if package else Path(str(binary))
    return Match(Level.NATIVE, "llama.cpp's own server reads GGUF", tasks=tasks or None, devices=accelerators(build))


@hookimpl
def uml_estimate_memory(plan: Plan) -> MemoryEstimate | None:
    view = View.of(plan)
    return estimate(plan, view, ENVIRONMENT | view.environment(os.environ))


@hookimpl
def uml_launch_worker(plan: Plan, launch: Launch) -> WorkerCommand:
    view = View.of(plan)
    own = (str(plan.settings.get("python") or sys.executable), "-P", str(SERVER))
    return WorkerCommand(
        argv=argv(plan, launch, narrowed=view.narrowed) if plan.settings.get("binary") else own,
        env=ENVIRONMENT | view.environment(os.environ),
        accepts="port",
        ready_path="/props",  # its /health answers anybody
        error_codes=ERROR_CODES,
        adapt=adapt,
        memory=partial(read_narrowed, view) if view.narrowed else read_memory,
    )


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
