"""The backend `llamacpp`: GGUF through llama-cpp-python, in a Python worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import find_engine
from uml_core.host.ggml import HIDDEN_DEVICES, accelerators, read_buffer
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
from uml_llamacpp.memory import estimate
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
ENVIRONMENT = {"GGML_NO_BACKTRACE": "1"}  # else its abort runs a debugger for seconds, whose lines hide the reason


def environment(plan: Plan) -> Mapping[str, str]:
    return {**ENVIRONMENT, **(HIDDEN_DEVICES if plan.options.get("n_gpu_layers") == 0 else {})}


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="llamacpp",
        formats=("gguf",),
        tasks=("text-generation",),
        options=Options,
        settings=Settings,
        engine="llama-cpp-python",
        knobs=KNOBS,
        parallel=1,
    )


@hookimpl
def uml_detect_backend(model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
    if model.format != "gguf":
        return None
    if model.metadata.get(f"{model.architecture}.attention.causal") is False:
        return Rejected(f"'{model.architecture}' makes embeddings, no text", hint="choose a model that writes")
    engine = find_engine("llama_cpp", interpreter=str(settings.get("python") or ""))
    if engine is None:
        return Rejected("llama-cpp-python is not installed", hint='pip install "uml-llamacpp[engine]" (it compiles)')
    return Match(Level.SUPPORTED, "llama-cpp-python reads GGUF", devices=accelerators(engine.parent))


@hookimpl
def uml_estimate_memory(plan: Plan) -> MemoryEstimate | None:
    return estimate(plan, environment(plan))


@hookimpl
def uml_launch_worker(plan: Plan) -> WorkerCommand:
    interpreter = str(plan.settings.get("python") or "")
    return WorkerCommand.python(
        "uml_llamacpp.worker", interpreter=interpreter, env=environment(plan), memory=read_buffer
    )


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
