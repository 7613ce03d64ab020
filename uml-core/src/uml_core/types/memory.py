"""How much memory a load takes, where and for what; and how much there is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import field, frozen

from uml_core.types.device import HOST, Holder

MemoryKind = Literal["weights", "kv_cache", "compute", "overhead"]
MemorySource = Literal["header", "probe", "measured"]


@frozen(kw_only=True)
class MemoryPart:
    """Bytes of one kind on one device.

    ``device`` is ``cpu`` or a :attr:`Device.id`. ``weights`` are the model's, mapped or copied; ``kv_cache`` is all
    that is kept of the past, states of recurrent layers too; ``compute`` are the buffers of the calculation and what
    the engine keeps beside the weights, its vocabulary for one; ``overhead`` is a worker with nothing loaded, on an
    accelerator the driver's context. ``low_bytes`` to ``high_bytes`` is where the truth is expected. ``source`` says
    how it is known: by the formula from the ``header``, by an engine's ``probe``, or as it was ``measured``.
    """

    device: str
    kind: MemoryKind
    size_bytes: int
    low_bytes: int
    high_bytes: int
    source: MemorySource = "header"

    @classmethod
    def exact(cls, device: str, kind: MemoryKind, size_bytes: int, *, source: MemorySource = "header") -> MemoryPart:
        """One of which the size is known."""
        return cls(
            device=device, kind=kind, size_bytes=size_bytes, low_bytes=size_bytes, high_bytes=size_bytes, source=source
        )


@frozen(kw_only=True)
class MemoryEstimate:
    """What a load takes: at most one part for each device and kind; a part that is missing is nothing."""

    parts: tuple[MemoryPart, ...] = ()

    def on(self, device: str) -> tuple[MemoryPart, ...]:
        """The parts on one device."""
        return tuple(part for part in self.parts if part.device == device)

    def bytes_on(self, device: str) -> int:
        """What it takes there in all."""
        return sum(part.size_bytes for part in self.parts if part.device == device)

    def bytes_of(self, kind: MemoryKind) -> int:
        """What it takes of one kind, on all devices."""
        return sum(part.size_bytes for part in self.parts if part.kind == kind)

    @property
    def devices(self) -> tuple[str, ...]:
        """Where it takes something, the machine's own memory first."""
        found = dict.fromkeys(part.device for part in self.parts if part.high_bytes)
        return tuple(sorted(found, key=lambda device: device != HOST))

    @property
    def total_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def low_bytes(self) -> int:
        return sum(part.low_bytes for part in self.parts)

    @property
    def high_bytes(self) -> int:
        return sum(part.high_bytes for part in self.parts)

    def replaced(self, parts: tuple[MemoryPart, ...]) -> MemoryEstimate:
        """With *parts* in place of those of the same device and kind."""
        mine = {(part.device, part.kind): part for part in self.parts}
        mine |= {(part.device, part.kind): part for part in parts}
        return MemoryEstimate(parts=tuple(mine.values()))


@frozen(kw_only=True)
class Budget:
    """What one device has for a load: ``free_bytes`` now and ``freed_bytes`` that the switch frees, less the margin.

    ``freed_bytes`` is what the worker that will be unloaded was measured to hold there. ``holders`` and
    ``unseen_bytes`` are who holds the rest, without that worker. ``unified``: it shares the machine's memory, so what a
    load takes there is gone from ``cpu``, too, and what is freed of the one is freed of the other.
    """

    device: str
    name: str
    total_bytes: int
    free_bytes: int
    freed_bytes: int = 0
    margin_bytes: int = 0
    holders: tuple[Holder, ...] = ()
    unseen_bytes: int = 0
    unified: bool = False

    @property
    def budget_bytes(self) -> int:
        """What a load may take."""
        return max(0, min(self.free_bytes + self.freed_bytes, self.total_bytes) - self.margin_bytes)


@frozen(kw_only=True)
class MemoryPlan:
    """What a load takes, against what there is.

    ``estimate`` is what was decided by: ``formula``, which only knows the header, with what was learned from ``loads``
    earlier loads on this machine and what the engine was asked. ``profile`` names the defaults that were used (``cpu``,
    ``24gb`` …). ``problem`` is a sentence where it doesn't fit, with the numbers, and ``would_fit`` the nearest that
    does: fields of a :class:`LoadRequest` (``{"context_length": 2048}``, ``{"model": "other:Q4_0"}``), empty if nothing
    does. ``forced``: it is to be loaded all the same.
    """

    profile: str
    estimate: MemoryEstimate
    budgets: tuple[Budget, ...]
    formula: MemoryEstimate = MemoryEstimate()
    loads: int = 0
    problem: str = ""
    would_fit: Mapping[str, Any] = field(factory=dict)
    forced: bool = False

    @property
    def fits(self) -> bool:
        return not self.problem


@frozen(kw_only=True)
class Measurement:
    """What one kind of memory on one device took in one load, beside what was predicted without having learned.

    ``engine`` is the engine's name and version, ``device`` is ``cpu`` or a device's kind with its name
    (``cuda NVIDIA H200``), ``how`` what else the amount depends on, as text that is equal for equal loads: batch, cache
    types, placement. ``units`` is what the prediction grows with, for who looks at the spread: tokens of context in
    all. ``used``: measured after a full batch, not only after the first token.
    """

    model_id: str
    backend: str
    engine: str
    machine: str
    architecture: str
    quantization: str
    how: str
    device: str
    kind: MemoryKind
    predicted_bytes: int
    measured_bytes: int
    units: int = 0
    used: bool = False
    measured: datetime
