"""What somebody said of a load, the request before ``uml.toml``: that is never changed, only what is left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from uml_core.errors import InvalidOptionsError
from uml_core.settings import ModelSettings
from uml_core.types import BackendInfo, Knob, LoadRequest, ModelCard

PARALLEL = 64
MEANS: Mapping[str, tuple[Knob, ...]] = {
    "device": ("gpu_layers", "cpu_experts", "split", "main_device"),
    "cache_type": ("cache_type_k", "cache_type_v"),
}
"""Core's words, and what of the engine says the same."""
WORDS = ("context_length", "parallel", "device", "cache_type")


@frozen(kw_only=True)
class Said:
    """What was said: None, or an option that isn't there, is open. ``asked`` has what the request itself said.

    ``aim`` are the tokens of context to come as near to as there is room for, where that was said and left open since.
    """

    context_length: int | None = None
    aim: int | None = None
    parallel: int | None = None
    device: str | None = None
    cache_type: str | None = None
    options: Mapping[str, Any] = field(factory=dict)
    asked: frozenset[str] = frozenset()

    def why(self, *names: str) -> str:
        """The reason of a decision that was made by somebody."""
        return "asked for" if self.asked.intersection(names) else "uml.toml says so for this model"

    def without(self, *names: str) -> Said:
        """The same with these words and options left open."""
        words: dict[str, Any] = {name: None for name in names if name in WORDS}
        if "context_length" in words:
            words["aim"] = self.context_length
        return evolve(self, **words, options={name: one for name, one in self.options.items() if name not in names})


def said_of(request: LoadRequest, own: ModelSettings, *, backend: BackendInfo, model: ModelCard) -> Said:
    """Put together what the request and the model's table say.

    The options of that table were written for the model's backend, if it has one; where the request says core's word
    for the same thing, they don't count.

    :raises InvalidOptionsError: the context or the number of sequences is out of range
    """
    written = own.options if own.backend in (None, backend.name) else {}
    hidden = {backend.knobs.get(knob) for word, knobs in MEANS.items() if getattr(request, word) for knob in knobs}
    context = own.context_length if request.context_length is None else request.context_length
    parallel = own.parallel if request.parallel is None else request.parallel
    _require_context(
        context, model, said="," if request.context_length is not None else ", as uml.toml says for this model,"
    )
    _require_parallel(parallel, backend)
    return Said(
        context_length=context,
        parallel=parallel,
        device=request.device,
        cache_type=request.cache_type,
        options={**{name: one for name, one in written.items() if name not in hidden}, **request.options},
        asked=frozenset(name for name in WORDS if getattr(request, name) is not None) | set(request.options),
    )


def _require_context(asked: int | None, model: ModelCard, *, said: str) -> None:
    trained = model.context_length
    if asked is not None and (asked < 1 or (trained is not None and asked > trained)):
        most = f"from 1 to the {trained} that the model was trained with" if trained else "at least 1"
        raise InvalidOptionsError(
            f"context_length is {asked} tokens{said} but must be {most}; ask for fewer", param="context_length"
        )


def _require_parallel(asked: int | None, backend: BackendInfo) -> None:
    if asked is None:
        return
    if not 1 <= asked <= PARALLEL:
        raise InvalidOptionsError(f"parallel is {asked}, but must be from 1 to {PARALLEL}", param="parallel")
    if backend.parallel is not None and asked > backend.parallel:
        raise InvalidOptionsError(
            f"parallel is {asked}, but '{backend.name}' answers no more than {backend.parallel} at once; ask for "
            "fewer, or for another backend",
            param="parallel",
        )
