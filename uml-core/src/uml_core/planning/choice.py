"""What was chosen for one variant of a model, and how good that is."""

from __future__ import annotations

from attrs import frozen

from uml_core.planning.estimate.number_types import number_bytes
from uml_core.planning.setting import Setting, Tier
from uml_core.types import MemoryEstimate

BASE = 8192
"""Tokens of context that go before the quality of a variant; what is beyond comes after it."""


@frozen(kw_only=True)
class Sized:
    """What a setting takes: by the formula alone, and with what ``loads`` earlier loads taught."""

    formula: MemoryEstimate
    estimate: MemoryEstimate
    loads: int = 0


@frozen(kw_only=True)
class Choice:
    """A setting that was chosen. ``fits`` is false where nothing does, and this is what is nearest to it."""

    setting: Setting
    tier: Tier
    sized: Sized
    fits: bool = True

    def score(self, *, quality: float, usable: int, target: int, size_bytes: int) -> tuple[float, ...]:
        """What is compared, one after the other; more memory never makes it less.

        A context to work with; all layers on devices, at least half, or fewer; context up to 8192 tokens or what is
        aimed for; the quality of the variant; more context; a finer cache; more sequences; then what is left over: more
        layers on devices, fewer devices, a smaller file.
        """
        setting, place = self.setting, self.setting.placement
        context = min(setting.context_length, target)
        cache = number_bytes(place.cache_type_k) + number_bytes(place.cache_type_v)
        rest = (place.gpu_layers, -place.cpu_experts, -len(place.devices), -size_bytes)
        return (context >= usable, self.tier, min(context, BASE), quality, context, cache, setting.parallel, *rest)
