"""The backend `llamacpp`: GGUF through llama-cpp-python, in a Python worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import is_installed
from uml_core.types import BackendInfo, Diagnosis, Level, Match, ModelSource, Plan, Rejected, WorkerCommand, WorkerExit
from uml_llamacpp.diagnosis import diagnose
from uml_llamacpp.options import Options, Settings

uml_api_version = API_VERSION

ENVIRONMENT = {"GGML_NO_BACKTRACE": "1"}  # else its abort runs a debugger for seconds, whose lines hide the reason


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="llamacpp",
        formats=("gguf",),
        tasks=("text-generation",),
        options=Options,
        settings=Settings,
        engine="llama-cpp-python",
    )


@hookimpl
def uml_detect_backend(model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
    if model.format != "gguf":
        return None
    if model.metadata.get(f"{model.architecture}.attention.causal") is False:
        return Rejected(f"'{model.architecture}' makes embeddings, no text", hint="choose a model that writes")
    if not is_installed("llama_cpp", interpreter=str(settings.get("python") or "")):
        return Rejected("llama-cpp-python is not installed", hint='pip install "uml-llamacpp[engine]" (it compiles)')
    return Match(Level.SUPPORTED, "llama-cpp-python reads GGUF")


@hookimpl
def uml_launch_worker(plan: Plan) -> WorkerCommand:
    interpreter = str(plan.settings.get("python") or "")
    return WorkerCommand.python("uml_llamacpp.worker", interpreter=interpreter, env=ENVIRONMENT)


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
