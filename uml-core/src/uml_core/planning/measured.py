"""What was measured of a model on this machine, and how fast each backend would be with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from uml_core.host.machine import machine_name
from uml_core.planning.learned import Pair, learned
from uml_core.registry import Registry
from uml_core.types import ModelCard, Profile


def profiles_here(registry: Registry, model_id: str, model: ModelCard) -> Sequence[Profile]:
    """The profiles of this model, as its files are now, on this machine; the newest first."""
    found = registry.records.profiles(model_id, model_bytes=model.size_bytes)
    return [profile for profile in found if profile.machine == machine_name()]


def speeds(profiles: Iterable[Profile], *, default: Pair) -> Mapping[str, float]:
    """Tokens a second of each backend that was measured by itself, with the threads that a load would take.

    :param profiles: of one model on this machine, the newest first
    :param default: threads and spin of a load that learned nothing
    """
    measured = [profile for profile in profiles if profile.source == "bench" and profile.decode_tokens_per_s]
    idle = {profile.backend: profile for profile in reversed(measured) if not profile.busy}
    return {backend: _speed(measured, newest, default=default) for backend, newest in idle.items()}


def _speed(profiles: Iterable[Profile], newest: Profile, *, default: Pair) -> float:
    """The speed with what was learned, else with the default, else what was measured last."""
    mine = [profile for profile in profiles if profile.backend == newest.backend]
    better = learned(mine, backend=newest.backend, default=default)
    if better is not None and better.speeds.idle is not None:
        return better.speeds.idle
    usual = (one for one in mine if (one.threads, one.spin) == default and not one.busy)
    return next(usual, newest).decode_tokens_per_s or 0.0
