"""Which package, model or option is at fault when a load fails; the usual signs are core's to read."""

from __future__ import annotations

import re

from uml_core.types import Diagnosis, Plan, WorkerExit

LAYER = "'uml-core[text]'"
PACKAGES = {
    "onnxruntime_genai": "onnxruntime-genai",
    "onnxruntime": "onnxruntime",
    "uml_onnx": "uml-onnx",
    **dict.fromkeys(("jinja2", "llguidance", "tokenizers", "transformers"), LAYER),
}
NO_PACKAGE = re.compile(rf"No module named '?(?P<what>{'|'.join(PACKAGES)})\b")
OPERATOR = re.compile(
    r"Fatal error: (?P<function>[\w.:]+)\(-?\d+\) is not a registered function/op"
    r"|No Op registered for (?P<name>[\w.:]+)|Could not find an implementation for (?P<kernel>[\w.:]+\(\d+\))"
)
NEWER = re.compile(r"Unsupported model IR version: (?P<ir>\d+)|Opset (?P<opset>\d+) is under development")
FORM = re.compile(
    r"^'[^']*' (?:wants .*, which this backend doesn't know|has no keys and values of a past|is no past of)"
)
DEVICE = re.compile(r"this build of onnxruntime has no execution provider|onnxruntime can't use \w+")


def diagnose(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Say why a load failed, or None where core can tell as well."""
    if not exit.while_loading:
        return None
    return _package(plan, exit) or _version(plan, exit) or _device(plan, exit) or _form(plan, exit)


def _package(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (missing := exit.find(NO_PACKAGE)):
        return None
    package = PACKAGES[missing["what"]]
    because = f"the Python that runs it, '{_python(plan)}', has no {package}"
    way_out = f"install it with `{_python(plan)} -m pip install {package}`"
    return Diagnosis.of_load(plan, "missing_engine", because, way_out, evidence=missing.string)


def _version(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    update = f"update it with `{_python(plan)} -m pip install --upgrade onnxruntime`"
    if found := exit.find(OPERATOR):
        because = f"this onnxruntime does not know the operator {found['function'] or found['name'] or found['kernel']}"
    elif found := exit.find(NEWER):
        version = (
            f"version {found['ir']} of the format" if found["ir"] else f"the operators of version {found['opset']}"
        )
        because = f"this onnxruntime is too old for {version}"
    else:
        return None
    way_out = f"{update}, or export the model anew"
    return Diagnosis.of_load(plan, "unsupported_architecture", because, way_out, evidence=found.string)


def _device(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(DEVICE)):
        return None
    because = "the GPU that it was planned for can't be used by the onnxruntime that is installed"
    way_out = "install onnxruntime-gpu with the libraries of CUDA that it wants, or load it with `--device cpu`"
    return Diagnosis.of_load(plan, "driver_mismatch", because, way_out, evidence=found.string)


def _form(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    if not (found := exit.find(FORM)):
        return None
    because = "its graph is of a form that backend 'onnx' does not know"
    way_out = "export it anew with Optimum (`text-generation-with-past`) or with the builder of onnxruntime-genai"
    return Diagnosis.of_load(plan, "unsupported_architecture", because, way_out, evidence=found.string)


def _python(plan: Plan) -> str:
    return str(plan.settings.get("python") or "python")
