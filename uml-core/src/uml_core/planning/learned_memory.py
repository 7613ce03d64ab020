"""What earlier loads on this machine took beside what was predicted for them, and what follows for the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median

from attrs import evolve

from uml_core.host.machine import machine_name
from uml_core.planning.load_words import apart_from_context, device_names, engine_of, how_of
from uml_core.types import Measurement, MemoryEstimate, MemoryPart, ModelCard
from uml_core.types.device import HOST

__all__ = ("Lessons", "device_names", "engine_of", "how_of", "learned")

NEWEST = 20
MOST_OFF, SLACK = 20, 2**32
"""A row whose numbers lie further apart, so many times and so many bytes, is damaged: no load was ever like it."""
SURE = 3
"""From so many votes on, one that was out of the ordinary is left out of the interval as well."""
OVERHEAD_SPREAD = 0.03
STEPS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.01, ("weights", "kv_cache", "compute")),
    (0.03, ("weights", "kv_cache", "compute")),
    (0.06, ("weights", "kv_cache", "compute")),
    (0.12, ("kv_cache", "compute")),
    (0.25, ("compute",)),
)
"""How alike loads are: the same; in all but the context; in the model's architecture and quantization; in the
architecture; only in the engine. For each the spread that this leaves, as a part of the size, and the kinds that so
little likeness says something of."""
ENGINE_ONLY = 4
"""What models of different architectures have in common is what the engine takes beside them: so many bytes more."""


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
    """Correct one estimate, see :meth:`Lessons.corrected`; who has many of them makes :class:`Lessons` once."""
    lessons = Lessons(
        model=model, backend=backend, engine=engine, measurements=measurements, devices=devices, machine=machine
    )
    return lessons.corrected(estimate, how)


class Lessons:
    """What was measured on this machine that says something of loads of one model with one build of an engine."""

    def __init__(
        self,
        *,
        model: ModelCard,
        backend: str,
        engine: str,
        measurements: Iterable[Measurement],
        devices: Mapping[str, str],
        machine: str | None = None,
    ) -> None:
        """Sort the measurements.

        :param engine: what :func:`engine_of` says
        :param measurements: of any backend, the newest first
        :param devices: what measurements call each device of an estimate, see :func:`device_names`
        :param machine: where they were made; None is this one
        """
        here = machine or machine_name()
        self._devices = devices
        self._parts: dict[tuple[str, str], _Lesson] = {}
        for one in measurements:
            if (one.backend, one.engine, one.machine) == (backend, engine, here) and _counts(one):
                self._parts.setdefault((one.device, one.kind), _Lesson(model)).add(one)

    def corrected(self, estimate: MemoryEstimate, how: str) -> tuple[MemoryEstimate, int]:
        """Correct *estimate* by what alike loads took.

        Each part grows or shrinks by the median ratio of the loads that are most alike, among which the prediction
        itself counts as one; so a single load moves it half of the way, and one out of the ordinary not at all once
        there are others. The overhead of the worker is what it was measured to be. Weights in the machine's own memory
        never get less than the formula's least: what was not there was only not read yet; and what of them the system
        may drop is not learned. What a probe has found stays as it is, for the ratios are those of the formula.

        :param how: what :func:`how_of` says of the load
        :returns: the estimate with what was learned, and from how many loads
        """
        parts: list[MemoryPart] = []
        loads: set[tuple[str, datetime]] = set()
        empty: set[tuple[str, datetime]] = set()
        for part in estimate.parts:
            lesson = self._parts.get((self._devices.get(part.device, part.device), part.kind))
            corrected, rows = lesson.corrected(part, how) if lesson else (part, ())
            parts.append(corrected)
            (empty if part.kind == "overhead" else loads).update((one.model_id, one.measured) for one in rows)
        return evolve(estimate, parts=tuple(parts)), len(loads or empty)


def _counts(one: Measurement) -> bool:
    """Before the first full batch a calculation has touched little of what it will need of the machine's memory."""
    if not _likely(one):
        return False
    if one.kind == "overhead":
        return True
    return one.predicted_bytes > 0 and (one.used or one.kind != "compute" or one.device != HOST)


def _likely(one: Measurement) -> bool:
    """Whether it can be true: a damaged row must neither keep a model out nor let one in that is too large."""
    less, more = sorted((one.measured_bytes, one.predicted_bytes))
    return less >= 0 and more <= MOST_OFF * less + SLACK


class _Lesson:
    """What says something of one kind of memory on one device, by how alike the models are."""

    def __init__(self, model: ModelCard) -> None:
        self._names = model.architecture or "", model.quantization or ""
        self._any: list[Measurement] = []
        self._same: list[Measurement] = []
        self._architecture: list[Measurement] = []
        self._other: list[Measurement] = []

    def add(self, one: Measurement) -> None:
        architecture = one.architecture == self._names[0]
        same = architecture and one.quantization == self._names[1]
        self._any.append(one)
        (self._same if same else self._architecture if architecture else self._other).append(one)

    def corrected(self, part: MemoryPart, how: str) -> tuple[MemoryPart, Sequence[Measurement]]:
        """The part with what was learned, and from which measurements."""
        if part.source == "probe":
            return part, ()
        if part.kind == "overhead":
            return self._overhead(part)
        for step, ((spread, kinds), alike) in enumerate(zip(STEPS, self._steps(how), strict=True)):
            if alike and part.kind in kinds:
                return _moved(part, alike[:NEWEST], spread, by_ratio=step < ENGINE_ONLY), alike[:NEWEST]
        return part, ()

    def _overhead(self, part: MemoryPart) -> tuple[MemoryPart, Sequence[Measurement]]:
        """What a worker held with nothing loaded; on a device the libraries load what the model calls for."""
        alike = [*self._same, *self._architecture][:NEWEST]
        if part.device == HOST or alike:
            rows = alike if part.device != HOST else self._any[:NEWEST]
            return _sized(part, [one.measured_bytes for one in rows], _absolute, OVERHEAD_SPREAD), rows
        rows = [one for one in self._other if one.predicted_bytes][:NEWEST]
        more = [one.measured_bytes - one.predicted_bytes for one in rows]
        return (_sized(part, more, _more, OVERHEAD_SPREAD), rows) if rows else (part, ())

    def _steps(self, how: str) -> Iterator[Sequence[Measurement]]:
        yield [one for one in self._same if one.how == how]
        rest = apart_from_context(how)
        yield [one for one in self._same if apart_from_context(one.how) == rest]
        yield self._same
        yield self._architecture
        yield self._other


def _moved(part: MemoryPart, alike: Sequence[Measurement], spread: float, *, by_ratio: bool) -> MemoryPart:
    if by_ratio:
        ratios = [one.measured_bytes / one.predicted_bytes for one in alike]
        return _sized(part, [1.0, *ratios], lambda size_bytes, vote: size_bytes * vote, spread)
    more = [one.measured_bytes - one.predicted_bytes for one in alike]
    return _sized(part, [0, *more], _more, spread)


def _more(size_bytes: int, vote: float) -> float:
    return size_bytes + vote


def _absolute(_: int, vote: float) -> float:
    return vote


def _sized(part: MemoryPart, votes: Sequence[float], size: Callable[[int, float], float], spread: float) -> MemoryPart:
    """The median of *votes*; few of them all lie within the interval, of many those that are near each other.

    :param size: makes bytes of predicted bytes and a vote
    """
    middle, low, high = median(votes), min(votes), max(votes)
    if len(votes) > SURE:
        away = 2 * median(abs(vote - middle) for vote in votes)
        low, high = middle - away, middle + away
    size_bytes = max(0, round(size(part.size_bytes, middle)))
    more = round(size_bytes * spread)
    learned = evolve(
        part,
        size_bytes=size_bytes,
        low_bytes=max(0, min(round(size(part.low_bytes, low)), size_bytes - more)),
        high_bytes=max(round(size(part.high_bytes, high)), size_bytes + more),
        source="measured",
    )
    return _not_below(part, learned) if part.kind == "weights" and part.device == HOST else learned


def _not_below(part: MemoryPart, learned: MemoryPart) -> MemoryPart:
    """Weights that may be mapped: the formula's least stands, and what lies above it may still be dropped."""
    size_bytes = max(part.low_bytes, learned.size_bytes)
    least = part.low_bytes + max(0, size_bytes - part.size_bytes)
    return evolve(learned, size_bytes=size_bytes, low_bytes=least, high_bytes=max(learned.high_bytes, size_bytes))
