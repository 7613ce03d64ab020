"""Which accelerators a worker sees: ggml opens every one that it sees, and a driver's context takes memory there."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

from uml_core.types import MemoryEstimate, MemoryPart, Plan

NONE = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1", "GGML_VK_VISIBLE_DEVICES": ""}
NUMBERS = "UML_GPUS"
"""Tells the worker that it sees some only, under new numbers: the first of them is its 0."""
VARIABLES = {"cuda": ("CUDA_VISIBLE_DEVICES",), "rocm": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")}
"""Where each kind is chosen; of several the first counts, and it is the one that is set."""


@frozen
class View:
    """``devices`` are what the worker sees, in its order; None is all that there are."""

    devices: tuple[str, ...] | None = None

    @classmethod
    def of(cls, plan: Plan) -> View:
        """None without a layer on one; those of the placement, if it is plain which; else all."""
        if plan.options.get("n_gpu_layers") == 0:
            return cls(())
        shares, devices = plan.options.get("tensor_split"), plan.placement.devices
        said = [at for at, share in enumerate(shares) if share] if shares else [plan.options.get("main_gpu")]
        kinds = {device.partition(":")[0] for device in devices}
        plain = said == _numbers(devices) and len(kinds) == 1 and kinds <= VARIABLES.keys()
        return cls(devices if plain and plan.options.get("split_mode") is None else None)

    @property
    def narrowed(self) -> bool:
        """Whether the worker sees some only, under new numbers."""
        return bool(self.devices)

    def environment(self, parent: Mapping[str, str]) -> dict[str, str]:
        """What shows them alone, among those that *parent* lets this process see."""
        if not self.devices:
            return {} if self.devices is None else dict(NONE)
        variables = VARIABLES[self.devices[0].partition(":")[0]]
        listed = next((parent[name].split(",") for name in variables if parent.get(name)), None)
        numbers = _numbers(self.devices)
        seen = [listed[at].strip() if listed and at < len(listed) else str(at) for at in numbers]
        return {variables[0]: ",".join(seen), NUMBERS: ",".join(map(str, numbers))}

    def outside(self, part: MemoryPart) -> MemoryPart:
        """*part*, which has the worker's number of a device, with the number that it has here."""
        number = part.device.partition(":")[2]
        if not self.devices or not number or int(number) >= len(self.devices):
            return part
        return evolve(part, device=self.devices[int(number)])

    def estimate_outside(self, estimate: MemoryEstimate | None) -> MemoryEstimate | None:
        """The same for all parts of an estimate."""
        return estimate and MemoryEstimate(parts=tuple(map(self.outside, estimate.parts)))


def _numbers(devices: tuple[str, ...]) -> list[int]:
    return [int(device.partition(":")[2]) for device in devices]
