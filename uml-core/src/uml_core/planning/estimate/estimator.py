"""The formula for the memory of a load."""

from __future__ import annotations

from collections.abc import Collection

from uml_core.planning.estimate.ggml import GgmlRule
from uml_core.planning.estimate.onnx import OnnxRule
from uml_core.planning.estimate.stored import StoredRule
from uml_core.types import HOST, MemoryEstimate, MemoryPart, ModelCard, Placement

PROCESS_BYTES = {
    "gguf": 35_000_000,
    "onnx": 40_000_000,
    "onnx-genai": 40_000_000,
    "safetensors": 275_000_000,
    "pytorch": 275_000_000,
}
OTHER_BYTES, SERVER_BYTES = 60_000_000, 14_000_000
"""A worker with nothing loaded, its interpreter and the engine's libraries: by the format, and a server of its own."""
DRIVER_BYTES = {"cuda": 630_000_000, "rocm": 630_000_000, "vulkan": 150_000_000}
"""What an engine's driver takes on a device for itself, by the kind of device (CUDA: measured on an H200)."""
WORKSPACE_BYTES = 100_000_000
"""What CUDA's libraries take besides for experts and latent attention."""
SCORE_BYTES = 2
"""Latent attention is multiplied by those libraries, out of 16-bit copies of a whole batch's scores."""


class Estimator:
    """What loads of *model* take. Made once a model; each question is answered in a fraction of a millisecond."""

    def __init__(
        self,
        model: ModelCard,
        *,
        backend_overhead_bytes: int | None = None,
        isa: Collection[str] | None = None,
        serves: bool = False,
    ) -> None:
        """Read the card.

        :param backend_overhead_bytes: what a worker of the backend holds with nothing loaded, if it was measured
        :param isa: the instruction sets of the processor; None: the usual ones of this machine
        :param serves: the engine is a server of its own, with slots
        """
        shape = model.shape
        usual_bytes = SERVER_BYTES if serves else PROCESS_BYTES.get(model.format, OTHER_BYTES)
        self._process_bytes = usual_bytes if backend_overhead_bytes is None else backend_overhead_bytes
        latent = shape is not None and any(layer.kind == "latent" for layer in shape.layers)
        self._workspace_bytes = WORKSPACE_BYTES if shape is not None and (shape.experts or latent) else 0
        self._scores = shape.heads if shape is not None and latent else 0
        self._rule: GgmlRule | StoredRule
        if model.format == "gguf" and shape is not None and shape.layers:
            self._rule = GgmlRule(model, shape, isa=isa, serves=serves)
        else:
            self._rule = OnnxRule(model) if model.format.startswith("onnx") else StoredRule(model)

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
        scores = self._scores * context_length * min(placement.batch, context_length)
        more_bytes = self._workspace_bytes + scores * SCORE_BYTES
        parts = [
            *self._rule.parts(context_length=context_length, parallel=parallel, placement=placement),
            MemoryPart.exact(HOST, "overhead", self._process_bytes),
            *(_driver(device, device_overhead_bytes, more_bytes=more_bytes) for device in placement.devices),
        ]
        return MemoryEstimate(parts=tuple(part for part in parts if part.high_bytes))

    def late_bytes(self, placement: Placement) -> int:
        """What only the first batch takes in the machine's memory, for a device's libraries: no probe sees that."""
        return self._rule.late_bytes(placement)


def _driver(device: str, measured_bytes: int | None, *, more_bytes: int) -> MemoryPart:
    """What the driver takes on *device*; the libraries of CUDA take *more_bytes*."""
    kind = device.partition(":")[0]
    usual_bytes = DRIVER_BYTES.get(kind, 0) + (more_bytes if kind == "cuda" else 0)
    return MemoryPart.exact(device, "overhead", usual_bytes if measured_bytes is None else measured_bytes)
