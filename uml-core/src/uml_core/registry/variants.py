"""The quantization that a file's name ends with: several files of one model differ in nothing else."""

from __future__ import annotations

import re

PART = re.compile(r"(?P<base>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")
_QUANT = r"""
    (?: IQ\d_ (?:XXS|XS|S|M|NL|KSS|KS|KL|KT|K) | I2_S | T?Q\d_\d | Q\d_K (?:_[XSML]+)? ) (?:_\d_\d | _(?:XL|L|R\d))?
  | MXFP4 (?:_MOE)? | NVFP4 | BF16 | FP?(?:16|32) | FP?8 (?:_E\dM\d)? | U?INT[48] | BNB4 | Q\d (?:F16)?
"""
_MAKER = r"(?:UD|I1)[-_.]"  # whose mixture of types it is: Unsloth's, or one made with an importance matrix
_ENDING = re.compile(rf"(?P<base>.+?)[-._] (?P<maker>{_MAKER})? (?P<quant>{_QUANT})", re.VERBOSE | re.IGNORECASE)


def variant_of(stem: str) -> tuple[str, str | None]:
    """Split the stem of a file's name, such as ``SmolLM2-135M-Instruct.Q4_1``, into the model's name and its variant.

    The variant is written as llama.cpp writes it, ``Q4_K_M`` also for a file that ends with ``q4_k_m``. The number of
    a part (``-00001-of-00003``) is left out of both.
    """
    if part := PART.fullmatch(stem):
        stem = part["base"]
    found = None if variant_called(stem) else _ENDING.fullmatch(stem)
    return (found["base"], _written(found)) if found else (stem, None)


def variant_called(name: str) -> str | None:
    """The variant if *name* is that of one, and of nothing else: folders and files are sometimes called so."""
    found = _ENDING.fullmatch(f"?-{name}")
    return _written(found) if found and found["base"] == "?" else None


def _written(found: re.Match[str]) -> str:
    maker = (found["maker"] or "")[:-1].upper()
    prefix = {"": "", "UD": "UD-", "I1": "i1-"}[maker]
    return prefix + found["quant"].upper()
