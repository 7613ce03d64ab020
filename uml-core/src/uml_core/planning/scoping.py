"""What may be chosen for a load: all that nobody said, within what engine and model can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from uml_core.errors import InvalidOptionsError
from uml_core.planning.setting import Scope, Step
from uml_core.planning.subject import Subject
from uml_core.settings import CacheType
from uml_core.types import HOST, Layer

LEAST = 512
USABLE = 4096
CELLS = 256
FINE, COARSE = "f16", "q8_0"
HEADS = (64, 80, 96, 112, 128, 256)
"""Lengths of heads that flash attention computes everywhere; a cache of whole blocks of numbers needs it."""
WITHOUT_FLASH = ("grok",)


def scope_of(subject: Subject) -> Scope:
    """Put together what may be chosen.

    :raises InvalidOptionsError: what was said contradicts itself, or the engine has no such thing
    """
    contexts = tuple(_contexts(subject))
    return Scope(
        context_lengths=contexts,
        usable=min(USABLE, contexts[0]),
        cache_types=_cache_types(subject),
        parallels=tuple(_parallels(subject)),
        steps=tuple(_steps(subject)),
        blocks=subject.blocks,
        whole=subject.reads_whole,
    )


def target_of(subject: Subject) -> int:
    """Tokens of context that are aimed for."""
    wanted = subject.said.context_length or subject.said.aim or subject.profile.context_length
    return min(subject.model.context_length or wanted, wanted)


def _contexts(subject: Subject) -> Iterator[int]:
    target = target_of(subject)
    yield target  # also one that no whole number of cells makes
    if subject.said.context_length is None and subject.model.shape is not None:
        yield from range((target - 1) // CELLS * CELLS, LEAST - 1, -CELLS)


def _parallels(subject: Subject) -> Iterator[int]:
    parallel = subject.said.parallel or min(subject.profile.parallel, subject.chosen.backend.parallel or 64)
    yield parallel
    while subject.said.parallel is None and parallel > 1:
        parallel //= 2
        yield parallel


def _cache_types(subject: Subject) -> tuple[tuple[str, str], ...]:
    base, knobs, said = subject.knobs.placement(), subject.knobs, subject.said.cache_type
    if said is not None:
        _require_cache_type(subject, said)
        return ((said, said),)
    if not knobs.has("cache_type_k") or knobs.said("cache_type_k") or knobs.said("cache_type_v"):
        return ((base.cache_type_k, base.cache_type_v),)
    types = [subject.settings.memory.cache_type] if subject.settings.memory.cache_type else [FINE, COARSE]
    able = [one for one in types if one == FINE or (knobs.takes("cache_type_k", one) and _takes_blocks(subject))]
    pairs = ((one, one if knobs.takes("cache_type_v", one) else base.cache_type_v) for one in able or [FINE])
    return tuple(pairs)


def _require_cache_type(subject: Subject, said: str) -> None:
    knobs, name = subject.knobs, subject.chosen.backend.name
    if not (knobs.takes("cache_type_k", said) and knobs.takes("cache_type_v", said)):
        able = [
            one for one in get_args(CacheType) if knobs.takes("cache_type_k", one) and knobs.takes("cache_type_v", one)
        ]
        way = f"it has {', '.join(able)}" if able else "leave it out"
        raise InvalidOptionsError(f"'{name}' has no cache of the type '{said}'; {way}", param="cache_type")
    for other in (knobs.said("cache_type_k"), knobs.said("cache_type_v")):
        if other not in (None, said) and subject.said.asked.intersection(knobs.names("cache_type_k", "cache_type_v")):
            raise InvalidOptionsError(
                f"cache_type is '{said}', but an option says '{other}'; say one of them", param="cache_type"
            )


def _takes_blocks(subject: Subject) -> bool:
    """Whether a cache of blocks of numbers works with this model for sure, not only mostly."""
    shape = subject.model.shape
    if shape is None or subject.knobs.placement().flash_attention is False:
        return False
    return subject.model.architecture not in WITHOUT_FLASH and all(_takes(layer) for layer in shape.layers)


def _takes(layer: Layer) -> bool:
    if layer.kind in ("recurrent", "none"):
        return True
    return layer.kind != "latent" and layer.key_length == layer.value_length and layer.key_length in HEADS


def _steps(subject: Subject) -> Iterator[Step]:
    """From all on devices to nothing there: the experts leave first, then whole layers, the first ones first."""
    every, knobs = subject.blocks + 1, subject.knobs
    said = knobs.said("gpu_layers")
    if subject.said.device == HOST and subject.seen and said:
        (name,) = knobs.names("gpu_layers")
        raise InvalidOptionsError(
            f"device is '{HOST}', but the option '{name}' asks for layers elsewhere; say one of them", param="device"
        )
    if not subject.devices or said == 0:
        yield Step()
        return
    fixed = said is not None or not knobs.has("gpu_layers")
    top = every if said is None or said < 0 else min(said, every)
    yield from (Step(gpu_layers=top, cpu_experts=count) for count in _experts(subject))
    kept = max(_experts(subject))
    if not fixed:
        yield from (Step(gpu_layers=count, cpu_experts=kept) for count in range(every - 1, 1, -1))
    if said is None and subject.said.device is None:
        yield Step()


def _experts(subject: Subject) -> tuple[int, ...]:
    """Of how many of the first blocks the experts may stay in memory."""
    said = subject.knobs.said("cpu_experts")
    if said is not None:
        return (min(said, subject.blocks),)
    movable = subject.has_experts and subject.knobs.has("cpu_experts")
    return tuple(range(subject.blocks + 1)) if movable else (0,)
