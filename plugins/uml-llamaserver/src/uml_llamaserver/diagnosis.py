"""Which package, program or option is at fault when a load fails; the usual signs are core's to read."""

from __future__ import annotations

import re

from uml_core.types import Diagnosis, Plan, WorkerExit

NOT_RUN, NOT_FOUND = 126, 127
FLAG = re.compile(r"error: (?:invalid|unknown) argument: (?P<what>\S+)")
NO_PACKAGE = re.compile(r"No module named '?xllamacpp")
KIND = re.compile(r"unknown model architecture: '(?P<what>[^']*)'")
GPU_MEMORY = re.compile(r"cudaMalloc failed|OutOfDeviceMemory|to allocate (?:CUDA|ROCm|Vulkan|Metal|SYCL)\w* buffer")


def diagnose(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Say why a load failed, or None where core can tell as well."""
    if not exit.while_loading:
        return None
    return (_program if plan.settings.get("binary") else _package)(plan, exit) or _load(plan, exit)


def _program(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """A llama-server of the user's own that can't be run, or is too old."""
    binary = plan.settings["binary"]
    if exit.code in {NOT_RUN, NOT_FOUND}:
        way_out = "correct `binary` in [plugins.llamaserver] of uml.toml"
        return Diagnosis.of_load(plan, "missing_engine", f"'{binary}' can't be started", way_out)
    if flag := exit.find(FLAG):
        because = f"'{binary}' does not know '{flag['what']}'"
        return Diagnosis.of_load(plan, "missing_engine", because, "take a newer llama-server", evidence=flag.string)
    return None


def _package(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if missing := exit.find(NO_PACKAGE):
        because = f"the Python that runs it, '{_python(plan)}', has no xllamacpp"
        way_out = f"install it with `{_python(plan)} -m pip install xllamacpp`"
        return Diagnosis.of_load(plan, "missing_engine", because, way_out, evidence=missing.string)
    return None


def _load(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if kind := exit.find(KIND):
        because = f"llama.cpp does not know models of the kind '{kind['what']}'"
        newer = plan.settings.get("binary") or f"llama.cpp with `{_python(plan)} -m pip install --upgrade xllamacpp`"
        way_out = f"update {newer}, or choose another backend with `--backend`"
        return Diagnosis.of_load(plan, "unsupported_architecture", because, way_out, evidence=kind.string)
    if full := exit.find(GPU_MEMORY):
        return _fewer_layers(plan, full.string)
    return None


def _fewer_layers(plan: Plan, line: str) -> Diagnosis | None:
    """Half of the layers that somebody asked for; where nobody did, llama.cpp has tried what fits."""
    layers = plan.options.get("n_gpu_layers")
    if layers == -1:
        layers = plan.model.metadata.get(f"{plan.model.architecture}.block_count")
    if not isinstance(layers, int) or layers < 1:
        return None
    because = f"the GPU has too little free memory for {layers} of its layers"
    place = f'[models."{plan.model_id}".options] of uml.toml'
    way_out = f"close what else uses the GPU, or set `n_gpu_layers = {layers // 2}` in {place}"
    suggestion = {"n_gpu_layers": layers // 2}
    return Diagnosis.of_load(plan, "insufficient_memory", because, way_out, suggestion=suggestion, evidence=line)


def _python(plan: Plan) -> str:
    return str(plan.settings.get("python") or "python")
