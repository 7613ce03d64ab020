"""What earlier loads on this machine took beside what was predicted for them, and what follows for the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median

from attrs import evolve, frozen

from uml_core.host.machine import machine_name
from uml_core.planning.load_words import apart_from_context, device_names, engine_of, how_of
from uml_core.types import Measurement, MemoryEstimate, MemoryPart, ModelCard
from uml_core.types.device import HOST

__all__ = ("device_names", "engine_of", "how_of", "learned")

NEWEST = 20
SURE = 3
"""From so many loads on, one that was out of the ordinary is left out of the interval as well."""
OVERHEAD_SPREAD = 0.03
STEPS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.01, ("weights", "kv_cache", "compute")),
    (0.03, ("weights", "kv_cache", "compute")),
    (0.06, ("weights", "kv_cache", "compute")),
    (0.12, ("kv_cache", "compute")),
    (0.25, ("compute",)),
)
"""How alike loads are, from the same down to only the same engine: the spread that this leaves, as a part of the size,
and the kinds that so little likeness says something of."""
ENGINE_ONLY = 4
"""What models of different architectures have in common is what the engine takes beside them: so many bytes more."""


@frozen
class _Load:
    """The load that is planned, as far as others can be like it."""

    architecture: str
    quantization: str
    how: str

    def likeness(self, other: Measurement) -> int:
        """The place in ``STEPS`` that *other* has."""
        same = other.architecture == self.architecture
        if not same or other.quantization != self.quantization:
            return 3 if same else 4
        if other.how == self.how:
            return 0
        return 1 if apart_from_context(other.how) == apart_from_context(self.how) else 2


def learned(
    estimate: MemoryEstimate,
    *,
    model: ModelCard,
    backend: str,
    engine: str,
    how: str,
    measurements: Iterable[Measurement],
    devices: Mapping[str, str],
    machine: str | None = None,
) -> tuple[MemoryEstimate, int]:
    """Correct an estimate by what loads with the same build of the engine took here.

    Each part grows or shrinks by the median ratio of the loads that are most alike, among which the prediction itself
    counts as one; so a single load moves it half of the way, and one out of the ordinary not at all once there are
    others. The overhead of the worker is what it was measured to be. Weights in the machine's own memory never get
    less than the files say: what was not there was only not read yet. What a probe has found stays as it is, for the
    ratios are those of the formula.

    :param estimate: the formula's, or a probe's
    :param how: what :func:`how_of` says of the load
    :param measurements: of any backend, the newest first
    :param devices: what measurements call each device of the estimate, see :func:`device_names`
    :param machine: where they were made; None is this one
    :returns: the estimate with what was learned, and from how many loads
    """
    here = machine or machine_name()
    mine = [one for one in measurements if (one.backend, one.engine, one.machine) == (backend, engine, here)]
    load = _Load(model.architecture or "", model.quantization or "", how)
    parts: list[MemoryPart] = []
    told: set[tuple[str, datetime]] = set()
    empty: set[tuple[str, datetime]] = set()
    for part in estimate.parts:
        name = devices.get(part.device, part.device)
        rows = [one for one in mine if (one.device, one.kind) == (name, part.kind) and _counts(one)]
        corrected, used = _overhead(part, rows) if part.kind == "overhead" else _corrected(part, rows, load)
        parts.append(corrected)
        (empty if part.kind == "overhead" else told).update((one.model_id, one.measured) for one in used)
    return evolve(estimate, parts=tuple(parts)), len(told or empty)


def _counts(one: Measurement) -> bool:
    """Before the first full batch a calculation has touched little of what it will need of the machine's memory."""
    return one.used or one.kind != "compute" or one.device != HOST


def _overhead(part: MemoryPart, rows: Sequence[Measurement]) -> tuple[MemoryPart, Sequence[Measurement]]:
    rows = rows[:NEWEST]
    if not rows:
        return part, ()
    return _sized(part, [one.measured_bytes for one in rows], float, OVERHEAD_SPREAD), rows


def _corrected(part: MemoryPart, rows: Sequence[Measurement], load: _Load) -> tuple[MemoryPart, Sequence[Measurement]]:
    rows = [one for one in rows if one.predicted_bytes > 0 and part.source != "probe"]
    for step, (spread, kinds) in enumerate(STEPS):
        alike = [one for one in rows if load.likeness(one) == step][:NEWEST]
        if not alike or part.kind not in kinds:
            continue
        if step == ENGINE_ONLY:
            more = [one.measured_bytes - one.predicted_bytes for one in alike]
            return _sized(part, [0, *more], lambda vote: part.size_bytes + vote, spread), alike
        ratios = [one.measured_bytes / one.predicted_bytes for one in alike]
        return _sized(part, [1.0, *ratios], lambda vote: part.size_bytes * vote, spread), alike
    return part, ()


def _sized(part: MemoryPart, votes: Sequence[float], size: Callable[[float], float], spread: float) -> MemoryPart:
    """The median of *votes*; few of them all lie within the interval, of many those that are near each other.

    :param size: makes bytes of a vote
    """
    middle, low, high = median(votes), min(votes), max(votes)
    if len(votes) > SURE:
        away = 2 * median(abs(vote - middle) for vote in votes)
        low, high = middle - away, middle + away
    least = part.size_bytes if part.kind == "weights" and part.device == HOST else 0
    size_bytes = max(least, round(size(middle)))
    more = round(size_bytes * spread)
    return evolve(
        part,
        size_bytes=size_bytes,
        low_bytes=max(least, min(round(size(low)), size_bytes - more)),
        high_bytes=max(round(size(high)), size_bytes + more),
        source="measured",
    )
