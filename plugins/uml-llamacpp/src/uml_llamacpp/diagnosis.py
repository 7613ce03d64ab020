"""Which package, model or option is at fault when a load fails; the usual signs are core's to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from uml_core.types import Diagnosis, Plan, WorkerExit, WorkerState

LOADING = frozenset({WorkerState.LAUNCHING, WorkerState.LOADING, WorkerState.PROBING})
PACKAGES = {"llama_cpp": "llama-cpp-python", "uml_llamacpp": "uml-llamacpp"}
NO_PACKAGE = re.compile(rf"No module named '?(?P<what>{'|'.join(PACKAGES)})")
KIND = re.compile(r"unknown model architecture: '(?P<what>[^']*)'")
NO_TEXT = re.compile(r"holds no model of the kind that goes on with a text")
GPU_MEMORY = re.compile(r"cudaMalloc failed|OutOfDeviceMemory|to allocate (?:CUDA|ROCm|Vulkan|Metal|SYCL)\w* buffer")


def diagnose(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Say why a load failed, or None where core can tell as well."""
    if exit.state not in LOADING or exit.hung or exit.intended:
        return None
    return _package(plan, exit) or _kind(plan, exit) or _layers(plan, exit)


def _package(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (missing := _find(NO_PACKAGE, exit.log_tail)):
        return None
    package = PACKAGES[missing["what"]]
    because = f"the Python that runs it, '{_python(plan)}', has no {package}"
    way_out = f"install it with `{_python(plan)} -m pip install {package}`"
    return _said(plan, "missing_engine", because, way_out, evidence=missing.string)


def _kind(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if kind := _find(KIND, exit.log_tail):
        because = f"llama.cpp does not know models of the kind '{kind['what']}'"
        newer = f"`{_python(plan)} -m pip install --upgrade llama-cpp-python`"
        way_out = f"update it with {newer}, or choose another backend with `--backend`"
        return _said(plan, "unsupported_architecture", because, way_out, evidence=kind.string)
    if other := _find(NO_TEXT, exit.log_tail):
        because = "it is not made to go on with a text, which is all that backend 'llamacpp' does"
        return _said(plan, "unsupported_architecture", because, "choose another model", evidence=other.string)
    return None


def _layers(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Half of the layers that the GPU was to take, which are all when nobody has said another number."""
    full, layers = _find(GPU_MEMORY, exit.log_tail), plan.options.get("n_gpu_layers")
    if layers in {None, -1}:
        layers = plan.model.metadata.get(f"{plan.model.architecture}.block_count")
    if not full or not isinstance(layers, int) or layers < 1:
        return None
    because = f"the GPU has too little free memory for {layers} of its layers"
    place = f'[models."{plan.model_id}".options] of uml.toml'
    way_out = f"close what else uses the GPU, or set `n_gpu_layers = {layers // 2}` in {place}"
    suggestion = {"n_gpu_layers": layers // 2}
    return _said(plan, "insufficient_memory", because, way_out, suggestion=suggestion, evidence=full.string)


def _find(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    return next((found for line in lines if (found := pattern.search(line))), None)


def _python(plan: Plan) -> str:
    return str(plan.settings.get("python") or "python")


def _said(plan: Plan, code: str, because: str, way_out: str, **rest: Any) -> Diagnosis:
    message = f"'{plan.model_id}' could not be loaded: {because}; {way_out}"
    return Diagnosis(code=code, message=message, deterministic=True, **rest)
