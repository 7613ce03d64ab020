"""What each device of this machine has for a load, and whether one fits there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import psutil
from attrs import evolve, frozen

from uml_core.planning.memory_profile import MemoryProfile
from uml_core.types import HOST, Budget, Device, Holder, HostInfo, MemoryEstimate, MemoryPart


@frozen
class Budgets:
    """The budgets of the machine's own memory and of devices."""

    budgets: tuple[Budget, ...]

    def __iter__(self) -> Iterator[Budget]:
        return iter(self.budgets)

    @property
    def total_bytes(self) -> int:
        """All of them together; what shares the machine's memory is no memory more."""
        return sum(budget.budget_bytes for budget in self.budgets if not budget.unified)

    def on(self, device: str) -> Budget:
        """The budget of one device."""
        return next(budget for budget in self.budgets if budget.device == device)

    def needs(self, estimate: MemoryEstimate, device: str) -> int:
        """What there has to be room for: in the machine's own memory for what devices take that share it, too."""
        takers = {device, *(one.device for one in self.budgets if one.unified and device == HOST)}
        return sum(_must_have(part) for part in estimate.parts if part.device in takers)

    def over(self, estimate: MemoryEstimate) -> Mapping[str, int]:
        """By how many bytes each device is too small; those that are large enough are left out."""
        lacking = {one.device: self.needs(estimate, one.device) - one.budget_bytes for one in self.budgets}
        return {device: size_bytes for device, size_bytes in lacking.items() if size_bytes > 0}

    def share(self, estimate: MemoryEstimate) -> float:
        """The largest part of a budget that is taken."""
        shares = [self.needs(estimate, one.device) / max(1, one.budget_bytes) for one in self.budgets]
        return max(shares, default=0.0)


def budgets_of(
    host: HostInfo,
    devices: Sequence[Device],
    profile: MemoryProfile,
    *,
    freed: Mapping[str, int],
    margin_bytes: int | None = None,
) -> Budgets:
    """Free now, with what the switch frees, without the margin.

    :param devices: those that the engine can use
    :param freed: bytes that the switch frees, by ``cpu`` and by uuid or id of the devices
    :param margin_bytes: the margin that ``uml.toml`` says
    """
    freed_there = {device.id: freed.get(device.uuid) or freed.get(device.id, 0) for device in devices}
    shared = freed.get(HOST, 0) + sum(freed_there[device.id] for device in devices if device.unified)
    ours = _ours() if any(freed.values()) else frozenset()
    memory = Budget(
        device=HOST,
        name="memory of this container" if host.limited else "memory",
        total_bytes=host.memory_bytes,
        free_bytes=host.free_memory_bytes,
        freed_bytes=shared,
        margin_bytes=profile.margin_of(host.memory_bytes) if margin_bytes is None else margin_bytes,
        holders=_others(host.holders, ours),
    )
    others = (
        Budget(
            device=device.id,
            name=device.name,
            total_bytes=device.total_bytes,
            free_bytes=device.free_bytes,
            freed_bytes=shared if device.unified else freed_there[device.id],
            margin_bytes=_margin(device, profile) if margin_bytes is None else margin_bytes,
            holders=_others(device.holders, ours),
            unseen_bytes=device.unseen_bytes,
            unified=device.unified,
        )
        for device in devices
    )
    return Budgets((memory, *others))


def _must_have(part: MemoryPart) -> int:
    """What is expected; of weights in the machine's memory the least: pages of files that are read no more can go."""
    return part.low_bytes if (part.device, part.kind) == (HOST, "weights") else part.size_bytes


def with_holders(budgets: Iterable[Budget], host: HostInfo, *, freed: Mapping[str, int]) -> tuple[Budget, ...]:
    """The same, with those who hold the machine's memory as they are found in *host*."""
    ours = _ours() if any(freed.values()) else frozenset()
    held = _others(host.holders, ours)
    return tuple(evolve(one, holders=held) if one.device == HOST else one for one in budgets)


def _margin(device: Device, profile: MemoryProfile) -> int:
    return profile.margin_of(device.total_bytes, display=device.display)


def _others(holders: Sequence[Holder], ours: frozenset[int]) -> tuple[Holder, ...]:
    return tuple(holder for holder in holders if holder.pid not in ours)


def _ours() -> frozenset[int]:
    """The worker that will be unloaded: what it holds is counted as freed, so it is not named as a holder."""
    return frozenset(child.pid for child in psutil.Process().children(recursive=True))
