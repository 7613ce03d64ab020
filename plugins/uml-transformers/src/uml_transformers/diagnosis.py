"""Which package, file or setting is at fault when a load fails; the usual signs are core's to read."""

from __future__ import annotations

import re
from typing import Any

from uml_core.types import Diagnosis, Plan, WorkerExit

PACKAGES = ("torch", "transformers", "accelerate", "safetensors", "tokenizers", "bitsandbytes", "gptqmodel", "optimum")
NO_PACKAGE = re.compile(rf"No module named '?(?P<what>{'|'.join(PACKAGES)}|uml_transformers)\b")
UNKNOWN = re.compile(r"transformers (?P<version>\S+) does not know (?P<what>.+), so '.*' can't be loaded")
OWN_CODE = re.compile(r"needs Python files of its own, which are not run")
CODE = re.compile(r"'(?P<file>[^']+)' is a pickle with code in it")
MISSING = re.compile(r"lacks (?P<count>\d+) of its weights, such as '(?P<name>[^']+)'")
SHAPES = re.compile(
    r"has (?P<count>\d+) weights of another shape than its config\.json says, such as '(?P<name>[^']+)'"
)
NUMBERS = re.compile(r"'(?P<file>[^']+)' keeps '[^']*' as '(?P<kind>[^']*)', a number type that this torch")
NO_DTYPE = re.compile(r"config\.json of '.*' says what can't be: (?P<what>.+)")
FULL = re.compile(r"CUDA out of memory|HIP out of memory|MPS backend out of memory")


def diagnose(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Say why a load failed, or None where core can tell as well."""
    if not exit.while_loading:
        return None
    checks = (_package, _unknown, _own_code, _pickle, _missing, _shapes, _numbers, _memory)
    return next((told for check in checks if (told := check(plan, exit))), None)


def _package(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(NO_PACKAGE)):
        return None
    package = found["what"].replace("_", "-")
    python = str(plan.settings.get("python") or "python")
    because = f"the Python that runs it, '{python}', has no {package}"
    return _said(plan, "missing_engine", because, f"install it with `{python} -m pip install {package}`", found)


def _unknown(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(UNKNOWN)):
        return None
    python = str(plan.settings.get("python") or "python")
    because = f"transformers {found['version']} does not know {found['what']}"
    way_out = f"update it with `{python} -m pip install --upgrade transformers`, or choose another model"
    return _said(plan, "unsupported_architecture", because, way_out, found)


def _own_code(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(OWN_CODE)):
        return None
    way_out = "set `trust_remote_code = true` in [plugins.transformers] of uml.toml if you trust who made it"
    return _said(
        plan, "unsupported_architecture", "it needs Python files of its own, which are not run", way_out, found
    )


def _pickle(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(CODE)):
        return None
    because = f"'{found['file']}' is a pickle with code in it, which is never run"
    return _said(plan, "invalid_model_file", because, "get the model as safetensors, and don't trust this file", found)


def _missing(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(MISSING)):
        return None
    because = f"{found['count']} of its weights are not in its files, such as '{found['name']}'"
    return _said(plan, "invalid_model_file", because, "fetch it again: a file of it may be missing", found)


def _shapes(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(SHAPES)):
        return None
    because = f"{found['count']} of its weights have another shape than config.json says, such as '{found['name']}'"
    return _said(plan, "invalid_model_file", because, "fetch all files of one version of it", found)


def _numbers(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if found := exit.find(NUMBERS):
        because = f"'{found['file']}' has weights of the type '{found['kind']}', which this torch does not know"
        way_out = "update torch, or choose another variant of the model"
        return _said(plan, "invalid_model_file", because, way_out, found)
    if found := exit.find(NO_DTYPE):
        because = f"its config.json says what can't be: {found['what'][:200]}"
        return _said(plan, "invalid_model_file", because, "fetch it again", found)
    return None


def _memory(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Half of the context, where the device was too small."""
    if not (found := exit.find(FULL)):
        return None
    half = max(512, plan.context_length // 2)
    because = f"the GPU has too little free memory for it with {plan.context_length} tokens of context"
    way_out = f"close what else uses the GPU, or load it with `--ctx {half}`"
    return _said(plan, "insufficient_memory", because, way_out, found, suggestion={"context_length": half})


def _said(plan: Plan, code: str, because: str, way_out: str, found: re.Match[str], **rest: Any) -> Diagnosis:
    return Diagnosis.of_load(plan, code, because, way_out, evidence=found.string, **rest)
