"""What was measured of a model on this machine, and how fast each backend would be with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve

from uml_core.host.machine import machine_name
from uml_core.planning.learned import Pair, learned, tried
from uml_core.registry import Registry
from uml_core.types import ModelCard, Profile

LATER = ("load_s", "prompt_tokens_per_s", "memory_bytes", "device_bytes")
"""What a measurement of other threads does not measure again."""


def profiles_here(registry: Registry, model_id: str, model: ModelCard) -> Sequence[Profile]:
    """The profiles of this model, as its files are now, on this machine; the newest first."""
    found = registry.records.profiles(model_id, model_bytes=model.size_bytes)
    return [profile for profile in found if profile.machine == machine_name()]


def speeds(profiles: Iterable[Profile], *, default: Pair) -> Mapping[str, float]:
    """Tokens a second of each backend that was measured by itself, to compare them by.

    Of each the newest run counts: with what it found best for threads, if each backend's did so; else with the default
    threads, as like with like.

    :param profiles: of one model on this machine, the newest first
    :param default: threads and spin of a load that learned nothing
    """
    runs = {backend: run for backend, run in _newest(_benched(profiles)).items() if _alone(run)}
    tuned = all(tried(run, backend=backend, default=default) for backend, run in runs.items())
    found = {backend: _speed(run, backend, default=default, tuned=tuned) for backend, run in runs.items()}
    return {backend: speed for backend, speed in found.items() if speed}


def speed_of(profiles: Iterable[Profile], backend: str, *, default: Pair) -> float | None:
    """Tokens a second that a load with *backend* would give, by itself; None if it was not measured."""
    return _speed(_benched(profiles), backend, default=default, tuned=True)


def expected(profiles: Sequence[Profile], *, default: Pair) -> Profile | None:
    """What a load would be like: the newest measurement of the fastest backend with the threads that it would get.

    What that one lacks, because only threads were tried, is of the backend's newest that has it. Where nothing was
    measured on purpose it's how the model did last in use.

    :param profiles: of one model on this machine, the newest first
    :param default: threads and spin of a load that learned nothing
    """
    found = speeds(profiles, default=default)
    if not found:
        return next(iter(_alone(profiles)), None)
    backend = max(found, key=lambda name: found[name])
    better = learned(_benched(profiles), backend=backend, default=default)
    pair = default if better is None else (better.threads, better.spin)
    mine = [profile for profile in _alone(_benched(profiles)) if profile.backend == backend]
    best = next((profile for profile in mine if (profile.threads, profile.spin) == pair), mine[0])
    return evolve(best, **{fact: _first(mine, fact) for fact in LATER if getattr(best, fact) is None})


def _first(profiles: Iterable[Profile], fact: str) -> Any:
    return next((value for profile in profiles if (value := getattr(profile, fact)) is not None), None)


def _benched(profiles: Iterable[Profile]) -> list[Profile]:
    return [profile for profile in profiles if profile.source == "bench" and profile.decode_tokens_per_s]


def _newest(profiles: Iterable[Profile]) -> Mapping[str, Sequence[Profile]]:
    """The profiles of each backend's newest run."""
    runs: dict[str, list[Profile]] = {}
    for profile in profiles:
        run = runs.setdefault(profile.backend, [])
        if not run or run[0].measured == profile.measured:
            run.append(profile)
    return runs


def _alone(profiles: Iterable[Profile]) -> list[Profile]:
    return [profile for profile in profiles if not profile.busy]


def _speed(profiles: Sequence[Profile], backend: str, *, default: Pair, tuned: bool) -> float | None:
    """The speed with what was learned, else with the default, else what was measured last."""
    better = learned(profiles, backend=backend, default=default) if tuned else None
    if better is not None:
        return better.speeds.idle
    mine = [profile for profile in _alone(profiles) if profile.backend == backend]
    usual = [profile for profile in mine if (profile.threads, profile.spin) == default] or mine
    return usual[0].decode_tokens_per_s if usual else None
