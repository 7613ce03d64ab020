"""One variant of a model, with the backend that would load it and what was said of that."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from uml_core.errors import InvalidOptionsError
from uml_core.inspection.file import shown
from uml_core.planning.budgets import Budgets
from uml_core.planning.knobs import Knobs
from uml_core.planning.memory_profile import MemoryProfile
from uml_core.planning.quality import quality
from uml_core.planning.said import Said
from uml_core.planning.selection import Selection
from uml_core.planning.sizer import Sizer
from uml_core.planning.task import WHOLE
from uml_core.settings import Settings
from uml_core.types import HOST, Device, HostInfo, ModelSource, Placement, StoredModel


@frozen(kw_only=True)
class Subject:
    """What a search is about.

    ``seen`` are the devices that the engine can use, ``devices`` those of them that may be, ``unseen`` all others here.
    """

    stored: StoredModel
    model: ModelSource
    chosen: Selection
    said: Said
    knobs: Knobs
    profile: MemoryProfile
    budgets: Budgets
    sizer: Sizer
    seen: tuple[Device, ...]
    unseen: tuple[Device, ...]
    devices: tuple[Device, ...]
    settings: Settings

    @property
    def blocks(self) -> int:
        """The blocks of the model; 0 if nothing is known of them."""
        return len(self.model.shape.layers) if self.model.shape else 0

    @property
    def has_experts(self) -> bool:
        return self.model.shape is not None and any(layer.expert_bytes for layer in self.model.shape.layers)

    @property
    def reads_whole(self) -> bool:
        """Whether it computes each text at once, as models do that make vectors or scores."""
        tasks = self.chosen.match.tasks
        return bool(tasks) and WHOLE.issuperset(tasks or ())

    def options(self, placement: Placement) -> dict[str, Any]:
        """The backend's options with *placement* in them."""
        return self.knobs.written(placement, devices=self.seen, blocks=self.blocks, experts=self.has_experts)

    @property
    def quality(self) -> float:
        return quality(self.model)


def seen_by(chosen: Selection, host: HostInfo) -> tuple[Device, ...]:
    """The devices that the engine can use, by the order in which it likes their kinds."""
    kinds = chosen.match.devices
    usable = [device for device in host.devices if device.kind in kinds and not device.problem]
    return tuple(sorted(usable, key=lambda device: (kinds.index(device.kind), device.index)))


def allowed(said: str | None, seen: tuple[Device, ...], *, host: HostInfo, backend: str) -> tuple[Device, ...]:
    """Those of *seen* that a request leaves: ``cpu`` is none, an id one, a kind all of that kind.

    :raises InvalidOptionsError: there is no such device, or the engine can't use it
    """
    if said is None or said == HOST:
        return seen if said is None else ()
    if found := tuple(device for device in seen if said in (device.id, device.kind)):
        return found
    there = next((device for device in host.devices if said in (device.id, device.kind)), None)
    names = ", ".join([HOST, *(device.id for device in seen)])
    if there is None:
        raise InvalidOptionsError(f"there is no device '{shown(said)}' here; there are: {names}", param="device")
    why = there.problem or f"'{backend}', as its engine is installed, uses no {there.kind} devices"
    raise InvalidOptionsError(f"the device '{said}' can't be used: {why}; there are: {names}", param="device")
