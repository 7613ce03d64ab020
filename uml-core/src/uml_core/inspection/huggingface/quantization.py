"""How weights were quantized, as transformers' ``quantization_config`` or MLX's ``quantization`` says.

Sources: the classes of ``transformers.utils.quantization_config``, exllamav2's and exllamav3's converters, mlx-lm.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.json_file import read_object


@frozen(kw_only=True)
class Quantization:
    """``bits`` are those of one packed weight, None where they vary or aren't told."""

    name: str
    method: str
    bits: int | None = None


BESIDE = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
"""Files in which AutoGPTQ, AutoAWQ and ModelOpt wrote it before transformers had a place for it."""


def find_quantization(folder: Folder, config: Facts) -> Quantization | None:
    """What *config* or a file beside it says.

    :raises InvalidModelFileError: that file is broken
    """
    told = read_quantization(config)
    path = None if told else folder.optional(*BESIDE)
    if path is None:
        return told
    beside = Facts(path.name, read_object(path))
    default = {"quantize_config.json": "gptq", "quant_config.json": "awq"}.get(path.name, "modelopt")
    return _named(beside.part("quantization") or beside, default)


def read_quantization(config: Facts) -> Quantization | None:
    """What *config* or its text part says; None if the weights are plain numbers."""
    text = config.part("text_config")
    told = config.part("quantization_config") or (text.part("quantization_config") if text else None)
    if told and (found := _named(told)):
        return found
    mlx = config.part("quantization")  # a copy of it, without a method, is where transformers has its own
    if mlx and (bits := mlx.count("bits")):
        return Quantization(name=f"mlx-{bits}bit", method="mlx", bits=bits)
    return None


def _named(told: Facts, default: str = "") -> Quantization | None:
    method = (told.text("quant_method") or _unsaid(told) or default).lower()
    if name := NAMES.get(method):
        return name(told)
    if not method:
        return None
    bits = told.count("bits", "nbits", "num_bits")
    return Quantization(name=f"{method}-{bits}bit" if bits else method, method=method, bits=bits)


def _unsaid(told: Facts) -> str:
    """Early files of bitsandbytes and ModelOpt don't name their method."""
    if told.has("load_in_4bit", "load_in_8bit"):
        return "bitsandbytes"
    return "modelopt" if "quant_algo" in told else ""


def _bits(method: str) -> Callable[[Facts], Quantization]:
    def named(told: Facts) -> Quantization:
        bits = told.count("bits", "w_bit", "nbits") or 4
        return Quantization(name=f"{method}-{bits}bit", method=method, bits=bits)

    return named


def _bits_per_weight(method: str) -> Callable[[Facts], Quantization]:
    def named(told: Facts) -> Quantization:
        bits = told.number("bits")
        return Quantization(name=f"{method}-{round(bits, 2)}bpw" if bits else method, method=method)

    return named


def _fixed(name: str, bits: int | None = None) -> Callable[[Facts], Quantization]:
    def named(told: Facts) -> Quantization:
        return Quantization(name=name, method=(told.text("quant_method") or name).lower(), bits=bits)

    return named


def _bitsandbytes(told: Facts) -> Quantization:
    if told.flag("load_in_4bit"):
        kind = told.text("bnb_4bit_quant_type") or "fp4"
        return Quantization(name=f"bnb-{kind.lower()}", method="bitsandbytes", bits=4)
    return Quantization(name="bnb-int8", method="bitsandbytes", bits=8)


def _compressed_tensors(told: Facts) -> Quantization:
    groups = told.part("config_groups")
    group = groups.part(*groups.values) if groups else None
    weights = group.part("weights") if group else None
    bits = weights.count("num_bits") if weights else None
    kind = weights.text("type") if weights else None
    return _by_kind("compressed-tensors", kind, bits)


def _by_kind(method: str, kind: str | None, bits: int | None) -> Quantization:
    if bits is None:
        return Quantization(name=method, method=method)
    if kind == "float":
        return Quantization(name=f"FP{bits}", method=method, bits=bits)
    return Quantization(name=f"int{bits}", method=method, bits=bits)


def _by_word(method: str, word: str | None) -> Quantization:
    """What the name of a type says, as torchao and quanto have it: ``int4_weight_only``, ``qint4``, ``float8``."""
    word = (word or "").lower()
    kind = "float" if "float" in word or "fp8" in word else "int"
    bits = next((bits for bits in (8, 4, 2) if f"{kind}{bits}" in word or f"fp{bits}" in word), None)
    return _by_kind(method, kind, bits)


def _torchao(told: Facts) -> Quantization:
    by_module = told.part("quant_type")
    if by_module and (default := by_module.part("default")):
        return _by_word("torchao", default.text("_type"))
    return _by_word("torchao", told.text("quant_type"))


def _quanto(told: Facts) -> Quantization:
    return _by_word("quanto", told.text("weights"))


def _modelopt(told: Facts) -> Quantization:
    algorithm = (told.text("quant_algo") or "").upper()
    bits = 8 if "FP8" in algorithm else 4 if "4" in algorithm else None
    return Quantization(name=algorithm or "modelopt", method="modelopt", bits=bits)


NAMES: dict[str, Callable[[Facts], Quantization]] = {
    "gptq": _bits("gptq"),
    "awq": _bits("awq"),
    "bitsandbytes": _bitsandbytes,
    "bitsandbytes_4bit": _bitsandbytes,
    "bitsandbytes_8bit": _bitsandbytes,
    "exl2": _bits_per_weight("exl2"),
    "exl3": _bits_per_weight("exl3"),
    "fp8": _fixed("FP8", 8),
    "fbgemm_fp8": _fixed("FP8", 8),
    "finegrained_fp8": _fixed("FP8", 8),
    "compressed-tensors": _compressed_tensors,
    "compressed_tensors": _compressed_tensors,
    "torchao": _torchao,
    "quanto": _quanto,
    "mxfp4": _fixed("MXFP4", 4),
    "modelopt": _modelopt,
    "bitnet": _fixed("bitnet", 2),
    "eetq": _fixed("int8", 8),
}
