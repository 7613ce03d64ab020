"""One load that is measured, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from uml_core.types import MemoryKind, Placement

KINDS: tuple[MemoryKind, ...] = ("weights", "kv_cache", "compute", "overhead")
KIND_PART, KIND_BYTES = 0.05, 16_000_000
TOTAL_PART, TOTAL_BYTES = 0.10, 64_000_000


@frozen(kw_only=True)
class Case:
    """A model, the engine's child program that loads it, and how."""

    name: str
    engine: str
    model: Path
    context_length: int = 2048
    parallel: int = 1
    full: bool = False
    placement: Placement = field(factory=Placement)

    @property
    def how(self) -> str:
        """What differs from the usual load, in few words."""
        usual = asdict(Placement())
        words = [f"{self.context_length} tokens"] + [f"{self.parallel} slots"] * (self.parallel > 1)
        words += [f"{name}={value}" for name, value in asdict(self.placement).items() if value != usual[name]]
        return ", ".join(words + ["filled"] * self.full)

    def told(self) -> dict[str, Any]:
        """The case as the child reads it."""
        own = {"model": str(self.model), "context_length": self.context_length, "parallel": self.parallel}
        return {**asdict(self.placement), **own, "full": self.full}


@frozen(kw_only=True)
class Result:
    """Bytes by kind: what the formula said, and what the process held."""

    case: Case
    predicted: dict[str, int] = field(factory=dict)
    measured: dict[str, int] = field(factory=dict)

    def holds(self, kind: str) -> bool:
        said, seen = self.predicted.get(kind, 0), self.measured.get(kind, 0)
        return abs(said - seen) <= max(KIND_PART * seen, KIND_BYTES)

    @property
    def total_holds(self) -> bool:
        said, seen = sum(self.predicted.values()), sum(self.measured.values())
        return abs(said - seen) <= max(TOTAL_PART * seen, TOTAL_BYTES)

    @property
    def all_hold(self) -> bool:
        return self.total_holds and all(self.holds(kind) for kind in KINDS)
