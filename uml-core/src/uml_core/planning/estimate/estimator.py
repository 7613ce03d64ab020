"""The formula for the memory of a load."""

from __future__ import annotations

from collections.abc import Iterator

from uml_core.planning.estimate.ggml import GgmlRule
from uml_core.planning.estimate.plain import PlainRule
from uml_core.types import HOST, MemoryEstimate, MemoryPart, ModelCard, Placement

PROCESS_BYTES = 60_000_000
"""A worker with nothing loaded: the interpreter or program, and the engine's libraries."""
DRIVER_BYTES = {"cuda": 500_000_000, "rocm": 500_000_000, "vulkan": 150_000_000}
"""What an engine's driver takes on a device before anything is loaded there, by the kind of device."""


class Estimator:
    """What loads of *model* take. Made once a model; each question is answered in a fraction of a millisecond."""

    def __init__(self, model: ModelCard, *, backend_overhead_bytes: int | None = None) -> None:
        """Read the card.

        :param backend_overhead_bytes: what a worker of the backend holds with nothing loaded, if it was measured
        """
        shape = model.shape
        self._process_bytes = PROCESS_BYTES if backend_overhead_bytes is None else backend_overhead_bytes
        has_layers = model.format == "gguf" and shape is not None and bool(shape.layers)
        self._rule = GgmlRule(model, shape) if has_layers and shape else PlainRule(model)

    def at(
        self,
        *,
        context_length: int,
        parallel: int = 1,
        placement: Placement = Placement(),  # noqa: B008 - frozen
        device_overhead_bytes: int | None = None,
    ) -> MemoryEstimate:
        """Say what a load takes, part by part.

        :param context_length: tokens of context, of each of the *parallel* sequences
        :param device_overhead_bytes: what the driver takes on each device, if it was measured
        :raises BadRequestError: a cache type that there is not
        """
        parts = [
            *self._rule.parts(context_length=context_length, parallel=parallel, placement=placement),
            MemoryPart.exact(HOST, "overhead", self._process_bytes),
            *_drivers(placement, device_overhead_bytes),
        ]
        return MemoryEstimate(parts=tuple(part for part in parts if part.high_bytes))


def _drivers(placement: Placement, measured_bytes: int | None) -> Iterator[MemoryPart]:
    for device in placement.devices:
        size_bytes = DRIVER_BYTES.get(device.partition(":")[0], 0) if measured_bytes is None else measured_bytes
        yield MemoryPart.exact(device, "overhead", size_bytes)
