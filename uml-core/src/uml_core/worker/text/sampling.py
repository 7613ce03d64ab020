"""From a request to how its tokens are chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen

from uml_core.worker.requests import GenerationRequest, wrong
from uml_core.worker.text.choice import Choice
from uml_core.worker.text.tokenizer import Tokenizer

DEFAULTS: Final[Mapping[str, float]] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
"""llama.cpp's own, where neither the request nor the model says anything."""
LAST_N = 64
"""How many of the last tokens count for the penalties; llama.cpp's default."""

_FIELDS: Final[Mapping[str, str]] = {  # of a request, and what a Choice calls it
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "presence_penalty": "presence",
    "frequency_penalty": "frequency",
    "repeat_penalty": "repeat",
}


@frozen
class Sampling:
    """One request's wishes. ``last_n`` tokens count for the penalties, of prompt and answer; -1 is all."""

    options: Mapping[str, Any]
    last_n: int

    @property
    def penalizes(self) -> bool:
        said = self.options
        return (said.get("repeat", 1.0), said.get("frequency", 0.0), said.get("presence", 0.0)) != (1.0, 0.0, 0.0)

    def choice(self, seed: int | None) -> Choice:
        """What one answer begins with; without a seed it is another one each time."""
        known = None if seed is None else seed & 0xFFFFFFFFFFFFFFFF
        return Choice(**self.options, random=np.random.default_rng(known))


def read_sampling(request: GenerationRequest, tokenizer: Tokenizer) -> Sampling:
    """Take it out of the request, and what that doesn't say from the model's own defaults.

    :raises BadRequestError: a penalty, a bias or another option that can't be used
    """
    defaults = {**DEFAULTS, **tokenizer.defaults}
    said = {name: getattr(request, name) for name in _FIELDS}
    values = {name: defaults.get(name) if value is None else value for name, value in said.items()}
    options: dict[str, Any] = {_FIELDS[name]: value for name, value in values.items() if value is not None}
    options["top_k"] = max(0, int(options["top_k"]))
    if options.get("repeat", 1.0) <= 0:
        raise wrong("repeat_penalty", "must be greater than 0")
    if (typical := _number(request, "typical_p")) is not None:
        options["typical_p"] = typical
    options["bias"] = _bias(request.extra.get("logit_bias"), tokenizer.n_vocab)
    options["logprobs"] = request.logprobs
    last_n = _number(request, "repeat_last_n")
    return Sampling(options, LAST_N if last_n is None else int(last_n))


def _number(request: GenerationRequest, name: str) -> float | None:
    value = request.extra.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9):
        raise wrong(name, "must be a number")
    return value


def _bias(said: Any, n_vocab: int) -> dict[int, float]:
    try:
        biases = {int(token): float(bias) for token, bias in (said or {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise wrong("logit_bias", "must map token numbers to numbers") from None
    if not all(0 <= token < n_vocab for token in biases):
        raise wrong("logit_bias", f"names a token beyond the model's {n_vocab}")
    if not all(math.isfinite(bias) for bias in biases.values()):
        raise wrong("logit_bias", "must map token numbers to finite numbers")
    return biases
