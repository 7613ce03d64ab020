"""What was measured of a model on this machine, and how fast each backend would be with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from uml_core.host.machine import machine_name
from uml_core.planning.learned import Pair, learned, tried
from uml_core.registry import Registry
from uml_core.types import ModelCard, Profile


def profiles_here(registry: Registry, model_id: str, model: ModelCard) -> Sequence[Profile]:
    """The profiles of this model, as its files are now, on this machine; the newest first."""
    found = registry.records.profiles(model_id, model_bytes=model.size_bytes)
    return [profile for profile in found if profile.machine == machine_name()]


def speeds(profiles: Iterable[Profile], *, default: Pair) -> Mapping[str, float]:
    """Tokens a second of each backend that was measured by itself, to compare them by.

    With what was learned for each, if that was tried with each; else with the default threads, as like with like.

    :param profiles: of one model on this machine, the newest first
    :param default: threads and spin of a load that learned nothing
    """
    measured = _benched(profiles)
    backends = list(dict.fromkeys(profile.backend for profile in measured if not profile.busy))
    all_tried = all(tried(measured, backend=backend, default=default) for backend in backends)
    found = {backend: _speed(measured, backend, default=default, tuned=all_tried) for backend in backends}
    return {backend: speed for backend, speed in found.items() if speed}


def speed_of(profiles: Iterable[Profile], backend: str, *, default: Pair) -> float | None:
    """Tokens a second that a load with *backend* would give, by itself; None if it was not measured."""
    return _speed(_benched(profiles), backend, default=default, tuned=True)


def _benched(profiles: Iterable[Profile]) -> list[Profile]:
    return [profile for profile in profiles if profile.source == "bench" and profile.decode_tokens_per_s]


def _speed(profiles: Sequence[Profile], backend: str, *, default: Pair, tuned: bool) -> float | None:
    """The speed with what was learned, else with the default, else what was measured last."""
    better = learned(profiles, backend=backend, default=default) if tuned else None
    if better is not None:
        return better.speeds.idle
    mine = [profile for profile in profiles if profile.backend == backend and not profile.busy]
    usual = [profile for profile in mine if (profile.threads, profile.spin) == default] or mine
    return usual[0].decode_tokens_per_s if usual else None
