"""Named defaults for machines of one size: what is aimed for, and what stays free."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from uml_core.settings import Settings
from uml_core.types import Device

MIB = 1 << 20
MOST_PART = 0.1
"""A margin is no more than a tenth, or nothing would be left of a small container."""
DISPLAY_BYTES = 512 * MIB
"""What a desktop may take more of the device that it's shown by."""


@frozen(kw_only=True)
class MemoryProfile:
    """What a load aims for: tokens of context a sequence, sequences at once, the number type of the cache.

    The margin of each device is ``margin_bytes``, or ``margin_part`` of it if that is more.
    """

    name: str
    context_length: int = 8192
    parallel: int = 1
    cache_type: str = "f16"
    margin_bytes: int = 512 * MIB
    margin_part: float = 0.03

    def margin_of(self, total_bytes: int, *, display: bool = False) -> int:
        """What stays free of *total_bytes* of memory, for what other programs and the driver will take."""
        wanted = max(self.margin_bytes + DISPLAY_BYTES * display, round(total_bytes * self.margin_part))
        return min(wanted, round(total_bytes * MOST_PART))


PROFILES = {
    profile.name: profile
    for profile in (
        MemoryProfile(name="cpu"),
        MemoryProfile(name="8gb"),
        MemoryProfile(name="16gb", context_length=16384),
        MemoryProfile(name="24gb", context_length=32768),
        MemoryProfile(name="48gb", context_length=32768, parallel=2),
        MemoryProfile(name="80gb", context_length=32768, parallel=4),
        MemoryProfile(name="unified", context_length=16384, margin_part=0.05),
    )
}
SIZES = (("80gb", 72e9), ("48gb", 40e9), ("24gb", 20e9), ("16gb", 12e9), ("8gb", 0.0))
"""From how many bytes on; devices have a little less than their name says, and there are those of 12 and 45 GB."""


def profile_for(devices: Sequence[Device], settings: Settings) -> MemoryProfile:
    """The profile that ``[memory]`` of ``uml.toml`` names, else the one for this machine; with what that table says.

    :param devices: those that the engine can use
    """
    said = settings.memory
    profile = PROFILES[said.profile or _name(devices)]
    if settings.context_length:
        profile = evolve(profile, context_length=settings.context_length)
    return evolve(profile, parallel=said.parallel or profile.parallel, cache_type=said.cache_type or profile.cache_type)


def usual_context(devices: Sequence[Device], settings: Settings) -> int:
    """Tokens of context that a load aims for of which nothing is said, if its engine uses every device that it can."""
    return profile_for([device for device in devices if not device.problem], settings).context_length


def _name(devices: Sequence[Device]) -> str:
    own_bytes = sum(device.total_bytes for device in devices if not device.unified)
    if own_bytes:
        return next(name for name, least in SIZES if own_bytes >= least)
    return "unified" if devices else "cpu"
