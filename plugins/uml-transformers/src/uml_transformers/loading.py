"""From a model's folder to a loaded model of transformers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, BitsAndBytesConfig
from transformers.models.auto import modeling_auto as auto

from uml_core.errors import InvalidModelFileError, ModelLoadError
from uml_core.types import Plan
from uml_transformers.options import Options
from uml_transformers.weights import read_weights

WRITING = ("text-generation", "image-text-to-text")
CLASSES: Mapping[str, tuple[Any, ...]] = {
    "text-generation": (auto.MODEL_FOR_CAUSAL_LM_MAPPING, auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING),
    "image-text-to-text": (auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, auto.MODEL_FOR_CAUSAL_LM_MAPPING),
    "feature-extraction": (auto.MODEL_FOR_TEXT_ENCODING_MAPPING, auto.MODEL_MAPPING),
    "text-ranking": (auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,),
    "text-classification": (auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,),
}
REMOTE = {
    "text-generation": "AutoModelForCausalLM",
    "image-text-to-text": "AutoModelForImageTextToText",
    "feature-extraction": "AutoModel",
    "text-ranking": "AutoModelForSequenceClassification",
    "text-classification": "AutoModelForSequenceClassification",
}


def load_model(plan: Plan, options: Options, progress: Callable[[float], None]) -> Any:
    """Load the model of *plan* where it says, for the first of its tasks.

    :raises ModelLoadError: transformers does not know such models, or not for this
    :raises InvalidModelFileError: a file is damaged, or weights are missing
    :raises ModuleNotFoundError: what quantizes is not there
    """
    if options.load_in_4bit or options.load_in_8bit:
        import_module("bitsandbytes")  # what transformers says of its absence does not name it as a module
    device = device_of(plan)
    config = read_config(plan)
    if plan.settings.get("trust_remote_code") and _needs_code(config):
        model, told = _load_with_its_code(plan, options, config, device)
        return _finished(model, told, plan)
    kind = class_of(plan, config)
    weights, stored = read_weights(plan.model.files, progress, _alone(device, options))
    if not weights:
        raise InvalidModelFileError(f"'{plan.model_id}' has no weights in its folder; fetch it again")
    how = _how(options, config, device, stored, writes=plan.tasks[0] in WRITING) | _without_pooling(kind)
    quantized = getattr(config, "quantization_config", None) is not None or options.load_in_4bit or options.load_in_8bit
    if quantized:  # each scheme reads its files in its own way
        progress(0.0)
        model, told = kind.from_pretrained(plan.model.path, config=config, **how)
    else:
        model, told = kind.from_pretrained(None, config=config, state_dict=weights, **how)
    return _finished(model, told, plan)


def device_of(plan: Plan) -> torch.device:
    """Where the model goes; the worker sees no other device than those of the plan, under new numbers."""
    name = plan.placement.devices[0].partition(":")[0] if plan.placement.devices else "cpu"
    return torch.device({"cpu": "cpu", "metal": "mps"}.get(name, "cuda:0"))


def read_config(plan: Plan) -> Any:
    """The configuration, as transformers knows such models.

    :raises ModelLoadError: it doesn't
    """
    trusted = bool(plan.settings.get("trust_remote_code"))
    try:
        return AutoConfig.from_pretrained(plan.model.path, local_files_only=True, trust_remote_code=trusted)
    except (ValueError, KeyError, ImportError) as error:
        if "trust_remote_code" in str(error):
            raise ModelLoadError(
                f"'{plan.model_id}' needs Python files of its own, which are not run; set `trust_remote_code = true` "
                "in [plugins.transformers] of uml.toml if you trust who made it"
            ) from error
        kind = plan.model.architecture or "unknown"
        raise ModelLoadError(_unknown(plan, f"models of the kind '{kind}'")) from error
    except (AttributeError, TypeError, StrictDataclassError) as error:
        why = " ".join(str(error).split())
        raise InvalidModelFileError(f"the config.json of '{plan.model_id}' says what can't be: {why}") from error


def class_of(plan: Plan, config: Any) -> Any:
    """The class of transformers for the first task.

    :raises ModelLoadError: there is none
    """
    for mapping in CLASSES[plan.tasks[0]]:
        if type(config) not in mapping:
            continue
        kind = mapping[type(config)]
        if mapping is auto.MODEL_FOR_TEXT_ENCODING_MAPPING and not str(config.architectures).count("EncoderModel"):
            continue  # of a model in two halves only the first is wanted if that alone was stored
        return kind[0] if isinstance(kind, tuple | list) else kind
    raise ModelLoadError(_unknown(plan, f"'{config.model_type}' as a model for {plan.tasks[0]}"))


def _unknown(plan: Plan, what: str) -> str:
    return f"transformers {transformers.__version__} does not know {what}, so '{plan.model_id}' can't be loaded"


def _alone(device: torch.device, options: Options) -> torch.device:
    return torch.device("cpu") if options.device_map else device


def _how(
    options: Options, config: Any, device: torch.device, stored: torch.dtype | None, *, writes: bool
) -> dict[str, Any]:
    how: dict[str, Any] = {
        "dtype": choose_dtype(options.dtype, stored, device, writes=writes),
        "device_map": options.device_map or {"": device},
        "local_files_only": True,
        "weights_only": True,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # :func:`_finished` names them
    }
    if options.attn_implementation:
        how["attn_implementation"] = options.attn_implementation
    if options.load_in_4bit or options.load_in_8bit:
        how["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=options.load_in_4bit, load_in_8bit=options.load_in_8bit, bnb_4bit_quant_type="nf4"
        )
    elif getattr(config, "quantization_config", None) is not None:
        how["dtype"] = "auto" if options.dtype == "auto" else getattr(torch, options.dtype)
    return how


def choose_dtype(said: str, stored: torch.dtype | None, device: torch.device, *, writes: bool) -> torch.dtype:
    """As stored, but what writes gets 16 bits on a GPU; few processors calculate with float16."""
    if said != "auto":
        chosen: torch.dtype = getattr(torch, said)
        return chosen
    stored = stored or torch.float32
    if device.type == "cpu":
        return torch.bfloat16 if stored is torch.bfloat16 else torch.float32
    return torch.bfloat16 if writes and stored not in (torch.float16, torch.bfloat16) else stored


def _without_pooling(kind: Any) -> dict[str, Any]:
    """The pooling layer of BERT's family is of no use to anybody, and not every file has it."""
    parameters = inspect.signature(kind.__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}


def _needs_code(config: Any) -> bool:
    return type(config).__module__.partition(".")[0] != "transformers"


def _load_with_its_code(
    plan: Plan, options: Options, config: Any, device: torch.device
) -> tuple[Any, Mapping[str, Any]]:
    kind = getattr(transformers, REMOTE[plan.tasks[0]])
    how = _how(options, config, device, None, writes=True) | {
        "dtype": "auto" if options.dtype == "auto" else options.dtype
    }
    found: tuple[Any, Any] = kind.from_pretrained(plan.model.path, trust_remote_code=True, **how)
    return found


def _finished(model: Any, told: Any, plan: Plan) -> Any:
    """The model without what only training needs.

    :raises InvalidModelFileError: transformers has made numbers up for weights that were not there
    """
    told = told if isinstance(told, Mapping) else vars(told)
    missing = sorted(told.get("missing_keys") or ())
    wrong = sorted(str(key[0] if isinstance(key, tuple) else key) for key in told.get("mismatched_keys") or ())
    if missing or wrong:
        what = f"lacks {len(missing)} of its weights, such as '{missing[0]}'" if missing else ""
        what = what or f"has {len(wrong)} weights of another shape than its config.json says, such as '{wrong[0]}'"
        raise InvalidModelFileError(f"'{plan.model_id}' {what}; fetch it again")
    model.requires_grad_(requires_grad=False)
    return model.eval()
