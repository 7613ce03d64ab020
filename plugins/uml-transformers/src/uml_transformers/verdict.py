"""Whether a model can be loaded here, without importing torch or transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import frozen

from uml_core.host.engine import find_engine
from uml_core.types import HostInfo, Level, Match, ModelSource, Rejected
from uml_transformers.devices import accelerators

TASKS = ("text-generation", "image-text-to-text", "feature-extraction", "text-ranking", "text-classification")
INSTALL = 'pip install "uml-transformers[engine]"'
REGISTRIES = ("models/auto/auto_mappings.py", "models/auto/configuration_auto.py")


@frozen
class Needs:
    """What a way of quantizing needs: modules, each with what installs it, and perhaps a GPU."""

    modules: tuple[tuple[str, str], ...] = ()
    gpu: bool = False


SCHEMES: Mapping[str, Needs] = {
    "bitsandbytes": Needs((("bitsandbytes", "bitsandbytes"),)),
    "gptq": Needs((("gptqmodel", "gptqmodel"), ("optimum", "optimum"))),
    "awq": Needs((("gptqmodel", "gptqmodel"),)),
    "compressed-tensors": Needs((("compressed_tensors", "compressed-tensors"),)),
    "torchao": Needs((("torchao", "torchao"),)),
    "quanto": Needs((("optimum.quanto", "optimum-quanto"),)),
    "hqq": Needs((("hqq", "hqq"),)),
    "aqlm": Needs((("aqlm", "aqlm[gpu]"),)),
    "vptq": Needs((("vptq", "vptq"),), gpu=True),
    "spqr": Needs((("spqr_quant", "spqr_quant[gpu]"),), gpu=True),
    "eetq": Needs((("kernels", "kernels"),), gpu=True),
    "fp8": Needs(gpu=True),
    "finegrained_fp8": Needs(gpu=True),
    "fbgemm_fp8": Needs((("fbgemm_gpu", "fbgemm-gpu"),), gpu=True),
    "mxfp4": Needs(),  # without kernels it is turned into 16 bits
    "bitnet": Needs(),
}
"""By ``quant_method`` of ``config.json`` (transformers' quantizers)."""
OTHERS = {"exl2": "ExLlama", "exl3": "ExLlama", "mlx": "Apple's MLX"}


def judge(model: ModelSource, host: HostInfo, settings: Mapping[str, Any]) -> Match | Rejected | None:
    """See :func:`uml_core.hookspecs.uml_detect_backend`."""
    if model.format not in ("safetensors", "pytorch"):
        return None
    python = str(settings.get("python") or "")
    tasks = tuple(task for task in model.tasks if task in TASKS)
    torch, engine = find_engine("torch", interpreter=python), find_engine("transformers", interpreter=python)
    if torch is None or engine is None:
        return Rejected(f"{'torch' if torch is None else 'transformers'} is not installed", hint=INSTALL)
    devices = accelerators(torch.parent)
    if not model.files:  # a question about the engine alone
        return Match(Level.SUPPORTED, "transformers is installed", devices=devices)
    wrong = _of_files(model, tasks) or _of_code(model, engine.parent, settings) or _of_scheme(model, host, settings)
    if wrong:
        return wrong
    reason = "transformers reads PyTorch's files" if model.format == "pytorch" else "transformers reads safetensors"
    return Match(Level.SUPPORTED, reason, tasks=tasks, devices=devices)


def _of_files(model: ModelSource, tasks: tuple[str, ...]) -> Rejected | None:
    if model.kind != "model":
        return Rejected(f"it is no model but {model.kind}", hint="choose the model that it belongs to")
    if not any("model_type" in key or "architectures" in key for key in model.metadata) and not model.architecture:
        return Rejected("there is no config.json beside it", hint="get the whole folder of the model")
    if not tasks:
        known = " and ".join(model.tasks) or "nothing that is known"
        return Rejected(f"it is for {known}, which this backend does not serve", hint="choose another model")
    if tasks[0] in TASKS and not model.has_tokenizer:
        return Rejected("it has no tokenizer beside it", hint="get the whole folder of the model")
    return None


def _of_code(model: ModelSource, engine: Path, settings: Mapping[str, Any]) -> Rejected | None:
    kind = model.metadata.get("model_type")
    if not isinstance(kind, str) or kind in known_kinds(engine) or not known_kinds(engine):
        return None
    if "remote-code" not in model.hazards:
        return Rejected(f"transformers, as it is installed, does not know '{kind}'", hint="pip install -U transformers")
    if settings.get("trust_remote_code"):
        return None
    return Rejected(
        f"'{kind}' needs Python files of the model's own, which are not run",
        hint="set `trust_remote_code = true` in [plugins.transformers] of uml.toml if you trust who made it",
    )


def _of_scheme(model: ModelSource, host: HostInfo, settings: Mapping[str, Any]) -> Rejected | None:
    method = _method(model)
    if not method:
        return None
    if method in OTHERS:
        return Rejected(f"it is quantized for {OTHERS[method]}", hint="choose another variant")
    needs = SCHEMES.get(method)
    if needs is None:
        return Rejected(f"it is quantized with '{method}', which this backend does not know", hint="choose another")
    python = str(settings.get("python") or "")
    for module, package in needs.modules:
        if find_engine(module, interpreter=python) is None:
            return Rejected(f"it is quantized with {method}, and {package} is not installed", hint=_install(package))
    if needs.gpu and not any(device.kind in ("cuda", "rocm") for device in host.devices):
        return Rejected(f"it is quantized with {method}, which needs a GPU", hint="choose another variant")
    return None


def _install(package: str) -> str:
    return f'pip install "{package}"' if "[" in package else f"pip install {package}"


def _method(model: ModelSource) -> str:
    found = model.metadata
    for key in ("quantization_config.quant_method", "text_config.quantization_config.quant_method"):
        if isinstance(said := found.get(key), str):
            return said.lower()
    for key in ("quantization_config.load_in_4bit", "quantization_config.load_in_8bit"):
        if found.get(key):
            return "bitsandbytes"
    name = (model.quantization or "").lower()
    return next((method for method in ("gptq", "awq", *OTHERS) if name.startswith(f"{method}-")), "")


@lru_cache(maxsize=4)
def _kinds_in(file: Path, modified_ns: int) -> frozenset[str]:  # noqa: ARG001 - an update is another file
    return frozenset(re.findall(r'^\s+\("([^"]+)", "\w+Config"\)', file.read_text("utf-8", "replace"), re.MULTILINE))


def known_kinds(engine: Path) -> frozenset[str]:
    """Every ``model_type`` that the transformers in the folder *engine* knows; nothing if that can't be told."""
    files = (engine / name for name in REGISTRIES)
    return frozenset().union(*(_kinds_in(file, file.stat().st_mtime_ns) for file in files if file.is_file()))
