"""The backend `llamaserver`: llama.cpp's own HTTP server, in the xllamacpp package or as a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uml_core import API_VERSION, hookimpl
from uml_core.host.engine import is_installed
from uml_core.types import (
    BackendInfo,
    Diagnosis,
    Launch,
    Level,
    Match,
    ModelSource,
    Plan,
    Rejected,
    WorkerCommand,
    WorkerExit,
)
from uml_llamaserver.diagnosis import diagnose
from uml_llamaserver.flags import argv
from uml_llamaserver.options import Options, Settings

uml_api_version = API_VERSION

SERVER = Path(__file__).with_name("server.py")  # by its path: another Python need not have this package
ENVIRONMENT = {"GGML_NO_BACKTRACE": "1"}  # else its abort runs a debugger for seconds, whose lines hide the reason
ERROR_CODES = {
    "exceed_context_size_error": "context_length_exceeded",
    "not_supported_error": "task_not_supported",
    "unavailable_error": "model_loading",
}


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="llamaserver", formats=("gguf",), tasks=("text-generation",),
        options=Options, settings=Settings, engine="xllamacpp",
    )  # fmt: skip


@hookimpl
def uml_detect_backend(model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
    if model.format != "gguf":
        return None
    binary, python = settings.get("binary"), str(settings.get("python") or "")
    if binary is not None and not os.access(binary, os.X_OK):
        return Rejected(f"'{binary}' is no program", hint="correct `binary` in [plugins.llamaserver] of uml.toml")
    if binary is None and not is_installed("xllamacpp", interpreter=python):
        return Rejected("xllamacpp is not installed", hint=f"{python or 'python'} -m pip install xllamacpp")
    return Match(Level.NATIVE, "llama.cpp's own server reads GGUF")


@hookimpl
def uml_launch_worker(plan: Plan, launch: Launch) -> WorkerCommand:
    own = (str(plan.settings.get("python") or sys.executable), "-P", str(SERVER))
    return WorkerCommand(
        argv=argv(plan, launch) if plan.settings.get("binary") else own,
        env=ENVIRONMENT,
        accepts="port",
        ready_path="/props",  # its /health answers anybody
        error_codes=ERROR_CODES,
    )


@hookimpl
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    return diagnose(plan, exit)
