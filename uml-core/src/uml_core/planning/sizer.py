"""How much each setting of one model takes: the formula, what was learned, and what the engine said of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from uml_core.planning.choice import Sized
from uml_core.planning.estimate import Estimator
from uml_core.planning.setting import Setting
from uml_core.types import HOST, MemoryEstimate, MemoryKind, MemoryPart, ModelCard

Learn = Callable[[MemoryEstimate, Setting], tuple[MemoryEstimate, int]]


class Sizer:
    """Answers for one model, and remembers its answers: a search asks for many settings more than once."""

    def __init__(
        self,
        model: ModelCard,
        learn: Learn = lambda estimate, _: (estimate, 0),
        *,
        isa: tuple[str, ...] = (),
        serves: bool = False,
    ) -> None:
        """Read the card.

        :param isa: the instruction sets of the processor; empty: they are not known
        :param serves: the engine is a server of its own
        :param learn: corrects a formula's estimate by earlier loads, and says by how many
        """
        self._estimator = Estimator(model, isa=isa or None, serves=serves)
        self._learn = learn
        self._known: dict[Setting, Sized] = {}
        self._off: Mapping[tuple[str, MemoryKind], int] = {}

    def at(self, setting: Setting) -> Sized:
        """What a load with *setting* takes."""
        if (known := self._known.get(setting)) is None:
            known = self._known[setting] = self._sized(setting)
        return known

    def estimate(self, setting: Setting) -> MemoryEstimate:
        """What a load with *setting* is expected to take."""
        return self.at(setting).estimate

    def corrected(self, setting: Setting, exact: MemoryEstimate) -> None:
        """The engine said *exact* of *setting*: whatever is asked from now on is off by as much."""
        was = {(part.device, part.kind): part.size_bytes for part in self.estimate(setting).parts}
        now = {(part.device, part.kind): part.size_bytes for part in exact.parts}
        self._off = {key: size_bytes - was.get(key, 0) for key, size_bytes in now.items()}
        self._known.clear()

    def probed(self, setting: Setting, parts: Iterable[MemoryPart]) -> tuple[MemoryPart, ...]:
        """What a probe said of *setting*, with what only the first batch would have shown."""
        late = self._estimator.late_bytes(setting.placement)
        return tuple(_moved(part, late) if (part.device, part.kind) == (HOST, "compute") else part for part in parts)

    def _sized(self, setting: Setting) -> Sized:
        formula = self._estimator.at(
            context_length=setting.context_length, parallel=setting.parallel, placement=setting.placement
        )
        estimate, loads = self._learn(formula, setting)
        return Sized(formula=formula, estimate=self._shifted(estimate), loads=loads)

    def _shifted(self, estimate: MemoryEstimate) -> MemoryEstimate:
        if not self._off:
            return estimate
        parts = (_moved(part, self._off.get((part.device, part.kind), 0)) for part in estimate.parts)
        return MemoryEstimate(parts=tuple(parts))


def _moved(part: MemoryPart, more_bytes: int) -> MemoryPart:
    sizes = {name: max(0, getattr(part, name) + more_bytes) for name in ("size_bytes", "low_bytes", "high_bytes")}
    return evolve(part, **sizes)
