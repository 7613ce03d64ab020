"""Which package, model or option is at fault when a load fails; the usual signs are core's to read."""

from __future__ import annotations

import re

from uml_core.types import Diagnosis, Plan, WorkerExit

TEXT = dict.fromkeys(("jinja2", "llguidance", "numpy", "regex", "tokenizers", "transformers"), "'uml-core[text]'")
PACKAGES = {"llama_cpp": "llama-cpp-python", "uml_llamacpp": "uml-llamacpp", **TEXT}
NO_PACKAGE = re.compile(rf"No module named '?(?P<what>{'|'.join(PACKAGES)})")
KIND = re.compile(r"unknown model architecture: '(?P<what>[^']*)'")
NO_TEXT = re.compile(r"holds no model of the kind that goes on with a text")
GPU_MEMORY = re.compile(r"cudaMalloc failed|OutOfDeviceMemory|to allocate (?:CUDA|ROCm|Vulkan|Metal|SYCL)\w* buffer")


def diagnose(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Say why a load failed, or None where core can tell as well."""
    if not exit.while_loading:
        return None
    return _package(plan, exit) or _kind(plan, exit) or _layers(plan, exit)


def _package(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (missing := exit.find(NO_PACKAGE)):
        return None
    package = PACKAGES[missing["what"]]
    because = f"the Python that runs it, '{_python(plan)}', has no {package}"
    way_out = f"install it with `{_python(plan)} -m pip install {package}`"
    return Diagnosis.of_load(plan, "missing_engine", because, way_out, evidence=missing.string)


def _kind(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if kind := exit.find(KIND):
        because = f"llama.cpp does not know models of the kind '{kind['what']}'"
        newer = f"`{_python(plan)} -m pip install --upgrade llama-cpp-python`"
        way_out = f"update it with {newer}, or choose another backend with `--backend`"
        return Diagnosis.of_load(plan, "unsupported_architecture", because, way_out, evidence=kind.string)
    if other := exit.find(NO_TEXT):
        because = "it is not made to go on with a text, which is all that backend 'llamacpp' does"
        return Diagnosis.of_load(
            plan, "unsupported_architecture", because, "choose another model", evidence=other.string
        )
    return None


def _layers(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Half of the layers that the GPU was to take, which are all when nobody has said another number."""
    full, layers = exit.find(GPU_MEMORY), plan.options.get("n_gpu_layers")
    if layers in {None, -1}:
        layers = plan.model.metadata.get(f"{plan.model.architecture}.block_count")
    if not full or not isinstance(layers, int) or layers < 1:
        return None
    because = f"the GPU has too little free memory for {layers} of its layers"
    place = f'[models."{plan.model_id}".options] of uml.toml'
    way_out = f"close what else uses the GPU, or set `n_gpu_layers = {layers // 2}` in {place}"
    suggestion = {"n_gpu_layers": layers // 2}
    return Diagnosis.of_load(plan, "insufficient_memory", because, way_out, suggestion=suggestion, evidence=full.string)


def _python(plan: Plan) -> str:
    return str(plan.settings.get("python") or "python")
