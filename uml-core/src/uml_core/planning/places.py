"""Where the layers of a model can go on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from attrs import evolve

from uml_core.planning.budgets import Budgets
from uml_core.planning.first import first
from uml_core.planning.setting import Setting, Step
from uml_core.planning.sizer import Sizer
from uml_core.types import HOST

TRIES = 8
Group = tuple[str, ...]
Split = tuple[float, ...]


class Places:
    """Finds places for the layers of one model that its budgets have room for."""

    def __init__(self, sizer: Sizer, budgets: Budgets, groups: Sequence[Group], split: Split = ()) -> None:
        """Nothing is asked yet.

        :param groups: the ids of the devices that may be used together, the groups that are liked best first
        :param split: each device's share of the only group, where somebody said so
        """
        self._sizer = sizer
        self._budgets = budgets
        self._groups = groups
        self._split = split

    def fit(self, steps: Sequence[Step], setting: Setting) -> Setting | None:
        """*setting* with the first of *steps* that fits, None if none does.

        :param steps: each takes less of the devices than the one before, and more of the machine's memory
        """
        found = first(steps, lambda step: self._on_devices(step, setting))
        if found is None or self._budgets.over(self._sizer.estimate(found)):
            return None
        return found

    def nearest(self, steps: Sequence[Step], setting: Setting) -> Setting:
        """*setting* with the step and the devices that lack least; with more on devices where it's the same."""
        some = {index * (len(steps) - 1) // TRIES for index in range(TRIES + 1)}
        tried = [place for index in sorted(some) for place in self._tries(steps[index], setting)]
        return min(tried, key=lambda one: sum(self._budgets.over(self._sizer.estimate(one)).values()))

    def _tries(self, step: Step, setting: Setting) -> Iterator[Setting]:
        if not step.gpu_layers:
            yield _placed(setting, step)
        else:
            yield from (_placed(setting, step, group, self._fair(step, group)) for group in self._groups)

    def _on_devices(self, step: Step, setting: Setting) -> Setting | None:
        """*setting* with *step* on the first group whose devices have room for it."""
        if not step.gpu_layers:
            return _placed(setting, step)
        return next((one for group in self._groups if (one := self._on_group(step, group, setting))), None)

    def _on_group(self, step: Step, group: Group, setting: Setting) -> Setting | None:
        fair = _placed(setting, step, group, self._fair(step, group))
        if self._have_room(fair, group):
            return fair
        return self._packed(step, group, setting) if len(group) > 1 and not self._split else None

    def _fair(self, step: Step, group: Group) -> Split:
        """As many layers for each device as its budget is of all budgets."""
        if len(group) == 1 or self._split:
            return self._split
        sizes = [self._budgets.on(device).budget_bytes for device in group]
        bounds = [round(sum(sizes[:end]) * step.gpu_layers / max(1, sum(sizes))) for end in range(len(sizes) + 1)]
        return tuple(float(end - start) for start, end in pairwise(bounds))

    def _packed(self, step: Step, group: Group, setting: Setting) -> Setting | None:
        """Each device filled before the next one gets any: where that doesn't fit, nothing does."""
        dealt: Split = ()
        for device in group[:-1]:
            counts = range(step.gpu_layers - int(sum(dealt)), -1, -1)
            most = first(counts, partial(self._dealt, dealt, device, step, group, setting))
            if most is None:
                return None
            dealt = most.placement.split[: len(dealt) + 1]
        last = _placed(setting, step, group, (*dealt, step.gpu_layers - sum(dealt)))
        return last if self._have_room(last, group) else None

    def _dealt(
        self, dealt: Split, device: str, step: Step, group: Group, setting: Setting, count: int
    ) -> Setting | None:
        """*setting* with so many layers on *device*, after those that are dealt, and the rest on the last one."""
        between = (0.0,) * (len(group) - len(dealt) - 2)
        split = (*dealt, float(count), *between, step.gpu_layers - sum(dealt) - count)
        placed = _placed(setting, step, group, split)
        return placed if self._have_room(placed, (device,)) else None

    def _have_room(self, setting: Setting, devices: Group) -> bool:
        over = self._budgets.over(self._sizer.estimate(setting))
        return not any(device in over for device in devices if device != HOST)


def _placed(setting: Setting, step: Step, group: Group = (), split: Split = ()) -> Setting:
    placement = evolve(
        setting.placement, devices=group, gpu_layers=step.gpu_layers, cpu_experts=step.cpu_experts, split=split
    )
    return evolve(setting, placement=placement)
